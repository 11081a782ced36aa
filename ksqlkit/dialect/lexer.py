"""Text to tokens: one compiled expression, longest match first, as ksqlDB's lexer decides.

A token is a plain tuple so that a parser can index lists of them quickly. Its `kind` is the upper-case word
for a keyword, the sign itself for an operator or punctuation, else one of the names below.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ksqlkit.dialect.nodes import Comment, Span
from ksqlkit.dialect.words import KEYWORDS

IDENTIFIER: Final = "identifier"
DIGIT_IDENTIFIER: Final = "digit identifier"
BACK_QUOTED: Final = "back-quoted identifier"
DOUBLE_QUOTED: Final = "double-quoted identifier"
VARIABLE: Final = "variable"
STRING: Final = "string"
INTEGER: Final = "integer number"
DECIMAL: Final = "decimal number"
FLOAT: Final = "float number"
UNKNOWN: Final = "unknown"
EOF: Final = "<EOF>"


class Token(NamedTuple):
    """A piece of the text: [start, end) are character offsets."""

    kind: str
    text: str
    start: int
    end: int


_TOKEN = re.compile(
    r"""
      (?P<space>[ \r\n\t]+)
    | (?P<word>[A-Za-z_][A-Za-z0-9_@]*)
    | (?P<float>\d+\.\d*[eE][+-]?\d+|\.\d+[eE][+-]?\d+|\d+[eE][+-]\d+|\d+[eE]\d+(?![A-Za-z0-9_@]))
    | (?P<decimal>\d+\.\d*|\.\d+)
    | (?P<integer>\d+(?![A-Za-z0-9_@]))
    | (?P<digit>\d[A-Za-z0-9_@]+)
    | (?P<string>'[^']*(?:''[^']*)*')
    | (?P<back>`[^`]*(?:``[^`]*)*`)
    | (?P<double>"[^"]*(?:""[^"]*)*")
    | (?P<variable>\$\{[A-Za-z_][A-Za-z0-9_@]*\})
    | (?P<comment>--[^\r\n]*\r?\n?|/\*.*?\*/)
    | (?P<sign><>|!=|<=|>=|->|=>|:=|\|\||[-+*/%=<>(),.;\[\]{}])
    | (?P<unknown>.)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_KINDS: Final = {
    "float": FLOAT,
    "decimal": DECIMAL,
    "integer": INTEGER,
    "digit": DIGIT_IDENTIFIER,
    "string": STRING,
    "back": BACK_QUOTED,
    "double": DOUBLE_QUOTED,
    "variable": VARIABLE,
    "unknown": UNKNOWN,
}
_KEYWORDS: Final = {word: word for word in KEYWORDS}


@dataclass(frozen=True, slots=True)
class Text:
    """A text with its tokens (without blanks and comments; the last one is EOF) and its comments."""

    sql: str
    tokens: list[Token]
    comments: list[Comment]
    _starts: list[int] = field(repr=False)

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, of a character offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def span(self, start: int, end: int) -> Span:
        """The span of the characters [start, end)."""
        line, column = self.place(start)
        return Span(line, column, start, end)

    def line(self, number: int) -> str:
        """A source line by number, from 1, without its line end."""
        lines = self.sql.split("\n")
        return lines[number - 1].rstrip("\r") if number <= len(lines) else ""


def tokenize(sql: str) -> Text:
    """Split a text into tokens; never fails: what no rule takes becomes a token of kind UNKNOWN."""
    tokens: list[Token] = []
    starts = [0]
    at = sql.find("\n")
    while at >= 0:
        starts.append(at + 1)
        at = sql.find("\n", at + 1)
    text = Text(sql, tokens, [], starts)
    append, keyword, make = tokens.append, _KEYWORDS.get, Token
    for match in _TOKEN.finditer(sql):
        group = match.lastgroup
        if group == "space":
            continue
        piece = match.group()
        if group == "word":
            append(make(keyword(piece.upper(), IDENTIFIER), piece, match.start(), match.end()))
        elif group == "sign":
            append(make("<>" if piece == "!=" else piece, piece, match.start(), match.end()))
        elif group == "comment":
            text.comments.append(Comment(piece, span=text.span(match.start(), match.end())))
        else:
            append(make(_KINDS[group or "unknown"], piece, match.start(), match.end()))
    append(Token(EOF, EOF, len(sql), len(sql)))
    return text


def unquote(text: str) -> str:
    """The content of a quoted token: outer quotes removed, doubled ones made single."""
    quote = text[0]
    return text[1:-1].replace(quote + quote, quote)
