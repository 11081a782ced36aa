"""The place in the token list, the basic moves, and the syntax errors in ksqlDB's own words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final, NoReturn

from ksqlkit.dialect.lexer import (
    BACK_QUOTED,
    DECIMAL,
    DIGIT_IDENTIFIER,
    DOUBLE_QUOTED,
    EOF,
    FLOAT,
    IDENTIFIER,
    INTEGER,
    STRING,
    UNKNOWN,
    VARIABLE,
    Text,
    Token,
    unquote,
)
from ksqlkit.dialect.nodes import Span
from ksqlkit.dialect.words import COMMANDS, KEYWORDS, NON_RESERVED, RESERVED
from ksqlkit.errors import Location, ParseError

NAMES: Final = NON_RESERVED | {IDENTIFIER, DIGIT_IDENTIFIER, BACK_QUOTED, DOUBLE_QUOTED, VARIABLE}
"""Kinds of tokens that can be a name."""

_SOURCE_NAME_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


class Cursor:
    """Where the parser stands. `kind` is the kind of the current token."""

    __slots__ = (
        "guessing",
        "i",
        "kind",
        "lambda_params",
        "persistent",
        "qualifiers",
        "sources",
        "template",
        "testing",
        "text",
        "tokens",
        "variables",
    )

    def __init__(self, text: Text, *, testing: bool = False, template: bool = False) -> None:
        self.template = template  # whether ${name} may still stand for the name of a source
        self.testing = testing  # whether statements of ksqlDB's test language are taken
        self.text = text
        self.tokens = text.tokens
        self.i = 0
        self.kind = self.tokens[0].kind
        self.lambda_params: frozenset[str] = frozenset()
        self.persistent = False
        self.guessing = 0  # how many calls deep: there ksqlDB reads ahead and so says less about a fault
        self.sources: set[str] = set()
        self.qualifiers: list[tuple[str, Token]] = []
        self.variables: list[tuple[Token, bool]] = []  # uses of ${name}; True where a literal is meant

    # ------------------------------------------------------------ moves

    @property
    def token(self) -> Token:
        """The current token."""
        return self.tokens[self.i]

    def peek(self, ahead: int = 1) -> str:
        """The kind of a later token; EOF past the end."""
        at = self.i + ahead
        return self.tokens[at].kind if at < len(self.tokens) else EOF

    def move(self, to: int) -> None:
        """Stand at token number `to`."""
        self.i = to
        self.kind = self.tokens[to].kind

    def advance(self) -> Token:
        """Take the current token."""
        token = self.tokens[self.i]
        if token.kind != EOF:
            self.i += 1
            self.kind = self.tokens[self.i].kind
        return token

    def accept(self, *kinds: str) -> bool:
        """Take a run of tokens if they stand here."""
        if self.kind != kinds[0]:
            return False
        at = self.i
        for kind in kinds[1:]:
            at += 1
            if self.tokens[at].kind != kind:
                return False
        self.move(at + 1)
        return True

    def expect(self, kind: str, *others: str) -> Token:
        """Take a token of this kind; `others` could stand here as well, which the message says."""
        if self.kind != kind:
            self.expected(*others, kind)
        return self.advance()

    def end_of_list(self, kind: str, *, several: bool) -> None:
        """Take what closes a list, where a comma could stand too; `several` says that one comma was read."""
        if self.kind == kind:
            self.advance()
        elif several and self.kind in RESERVED and not self.guessing:
            self.reserved(self.token)
        else:
            self.expected(",", kind)

    def words(self, *kinds: str) -> None:
        """Take a run of keywords that must stand here."""
        for kind in kinds:
            if self.kind != kind:
                self.no_viable()
            self.advance()

    def span(self, start: int) -> Span:
        """From token number `start` to the token before the current one."""
        tokens = self.tokens
        first = tokens[start].start
        line, column = self.text.place(first)
        return Span(line, column, first, tokens[self.i - 1].end if self.i > start else tokens[start].end)

    # ------------------------------------------------------------ names and constants

    def name(self, *, keep_case: bool = False) -> str:
        """An identifier: upper-cased where it is not quoted."""
        kind = self.kind
        if kind not in NAMES:
            self.no_viable()
        token = self.advance()
        if kind is BACK_QUOTED or kind is DOUBLE_QUOTED:
            return unquote(token.text)
        if kind is VARIABLE:
            self.variables.append((token, False))
        return token.text if keep_case else token.text.upper()

    def source_name(self) -> str:
        """The name of a stream or table: a Kafka topic could have it."""
        token = self.token
        name = self.name()
        if self.template and token.kind is VARIABLE:
            return name
        if not _SOURCE_NAME_CHARACTERS.issuperset(name):
            line, column = self.text.place(token.start)
            self.fail(
                f"Illegal argument at Line: {line}, Col: {column}. Source names may only contain alphanumeric "
                f"values, '_' or '-'. Got: '{name}'",
                token,
                hint=f"define the variable {token.text} first" if token.kind is VARIABLE else None,
                statement=name,
            )
        return name

    def resource(self) -> str:
        """A topic or subject: a string or an identifier whose case is kept."""
        return self.string() if self.kind is STRING else self.name(keep_case=True)

    def string(self) -> str:
        """The content of a string token."""
        if self.kind is not STRING:
            self.expected(STRING)
        return unquote(self.advance().text)

    def integer(self, context: str) -> int:
        """A whole number of 32 bits, with an optional minus."""
        start = self.token
        negative = self.accept("-")
        if self.kind is not INTEGER:
            if self.kind in (DECIMAL, FLOAT):
                self.reject(f"Value must be integer for command: {context}", start)
            self.no_viable()
        token = self.advance()
        value = whole("-" * negative + token.text)
        if value is None or not -(2**31) <= value < 2**31:
            self.reject(f"Value must be a 32-bit integer for command: {context}. Got: {token.text}", start)
        return value

    # ------------------------------------------------------------ errors

    def fail(
        self, message: str, token: Token, *, hint: str | None = None, statement: str | None = None
    ) -> NoReturn:
        """Raise a ParseError at a token with this very message."""
        line, column = self.text.place(token.start)
        place = Location(line=line, column=column, text=self.text.line(line))
        error = ParseError(message, location=place, hint=hint)
        error.statement = statement
        raise error

    def syntax(self, message: str, token: Token | None = None, *, hint: str | None = None) -> NoReturn:
        """Raise a syntax error in ksqlDB's shape."""
        token = token or self.token
        line, column = self.text.place(token.start)
        hint = hint or self._misspelt() or self._hint(token)
        self.fail(f"line {line}:{column}: Syntax Error\n{message}", token, hint=hint)

    def reject(self, message: str, token: Token | None = None, *, hint: str | None = None) -> NoReturn:
        """Raise what ksqlDB says about text that follows the grammar but makes no statement."""
        self.fail(f"Failed to prepare statement: {message}", token or self.token, hint=hint)

    def no_expression(self) -> NoReturn:
        """An expression should start here."""
        if self.guessing and self.kind != EOF:
            self.no_viable()
        token, following = self.token, self.peek()
        starts = following in NAMES or following in (STRING, INTEGER, DECIMAL, FLOAT, "CASE", "CAST", "NULL")
        if token.kind in RESERVED and starts:
            self.reserved(token)
        if token.kind is EOF:
            self._ended()
        self.syntax("", token, hint=self._hint(token) or "an expression should stand here")

    def _ended(self) -> NoReturn:
        self.syntax("Syntax error at or near \";\"\n'}', ']', or ')' is missing")

    def no_viable(
        self, token: Token | None = None, *, hint: str | None = None, options: Iterable[str] = ()
    ) -> NoReturn:
        """Nothing that could stand here starts with this token; `options` are words that could."""
        token = token or self.token
        if options and (near := difflib.get_close_matches(token.text.upper(), options, 1, 0.6)):
            hint = f"did you mean {near[0]}?"
        elif options:
            hint = f"expected one of {', '.join(options)}"
        line, column = self.text.place(token.start)
        self.syntax(f"Syntax error at or near '{token.text}' at line {line}:{column}", token, hint=hint)

    def expected(self, *kinds: str) -> NoReturn:
        """Only these kinds can stand here: ksqlDB names them when they are few."""
        token, following = self.token, self.peek()
        if self.guessing and token.kind != EOF:
            self.no_viable()
        if following in kinds and token.kind in RESERVED:
            self.reserved(token)
        if token.kind is EOF:
            self._ended()
        shown = [_shown(kind) for kind in kinds]
        if kinds == (")",) and following != ")":
            self.syntax(f"missing ')' at '{token.text}'", token)
        if len(", ".join(shown).split(",")) > 3:  # as ksqlDB counts them
            self.syntax("", token, hint=self._hint(token) or f"expected one of {', '.join(shown)}")
        self.syntax("Expecting " + (shown[0] if len(shown) == 1 else "{" + ", ".join(shown) + "}"), token)

    def reserved(self, token: Token) -> NoReturn:
        """A reserved word where a name was meant."""
        word = token.text
        self.syntax(
            f'"{word}" is a reserved keyword and it can\'t be used as an identifier. '
            f"You can use it as an identifier by escaping it as '{word}' ",
            token,
            hint=f"to name a column or source {word.upper()}, write `{word.upper()}` in back-quotes",
        )

    def _misspelt(self) -> str | None:
        """A name just before, where a keyword that is nearly the same may have been meant: `FROM a WHRE x = 1`."""
        before = self.tokens[self.i - 1] if self.i else self.token
        near = difflib.get_close_matches(before.text.upper(), KEYWORDS, 1, 0.85)
        return (
            f"did you mean {near[0]}?"
            if before.kind is IDENTIFIER and len(before.text) > 3 and near
            else None
        )

    def _hint(self, token: Token) -> str | None:
        if token.kind is UNKNOWN:
            if token.text == "'":
                return "this string has no closing quote; a quote inside a string is written twice: ''"
            if token.text in '`"':
                return f"this quoted name has no closing {token.text}"
            if token.text == "$":
                return "ksqlDB has no dollar quotes; variables are written ${name}, strings in single quotes"
            return f"the character {token.text!r} has no meaning in ksqlDB SQL"
        if token.kind is EOF:
            return "the text ends here; a statement ends with ;"
        if token.kind in RESERVED:
            word = token.text.upper()
            return f"{word} is a keyword; to use it as a name write `{word}` in back-quotes"
        if token.kind is IDENTIFIER and (
            near := difflib.get_close_matches(token.text.upper(), KEYWORDS, 1, 0.75)
        ):
            return f"did you mean {near[0]}?"
        return None


_SHOWN: Final = {
    STRING: "STRING",
    INTEGER: "INTEGER_VALUE",
    DECIMAL: "DECIMAL_VALUE",
    FLOAT: "FLOATING_POINT_VALUE",
    IDENTIFIER: "IDENTIFIER",
    EOF: EOF,
}


def _shown(kind: str) -> str:
    return _SHOWN.get(kind) or f"'{kind}'"


def whole(text: str) -> int | None:
    """A whole number of 64 bits, or None for one that does not fit."""
    if len(text.lstrip("-0")) > 19:  # also keeps away from Python's limit on digits
        return None
    value = int(text)
    return value if -(2**63) <= value < 2**63 else None


def nearest_command(word: str) -> str:
    """The statement word with the fewest edits to `word`; the first of equals, as ksqlDB picks."""
    word = word.upper()
    return min(COMMANDS, key=lambda command: _edits(command, word))


def _edits(a: str, b: str) -> int:
    """Levenshtein distance."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]
