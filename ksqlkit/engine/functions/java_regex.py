"""Java regular expressions on Python's re: the syntax and the defaults that differ are translated.

Translated: ASCII classes by default, line ends of `.`, `\\Q..\\E`, `\\h \\R \\z \\Z \\e \\x{..} \\0n`, named groups,
possessive quantifiers (the same in both), inline flags in the middle, POSIX and Unicode classes by `\\p{..}`, unions
and intersections of character classes. What is left over fails as in Java: ValueError.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

_LINE_ENDS: Final = "\\n\\r\\u0085\\u2028\\u2029"
_HORIZONTAL: Final = " \\t\\xa0\\u1680\\u180e\\u2000-\\u200a\\u202f\\u205f\\u3000"
_ASCII: Final = {
    "Lower": "a-z",
    "Upper": "A-Z",
    "ASCII": "\\x00-\\x7f",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Punct": "!-/:-@\\[-`{-~",
    "Graph": "!-~",
    "Print": " -~",
    "Blank": " \\t",
    "Cntrl": "\\x00-\\x1f\\x7f",
    "XDigit": "0-9a-fA-F",
    "Space": " \\t\\n\\x0b\\f\\r",
}
_JAVA_CLASSES: Final = {
    "javaLowerCase": "Ll",
    "javaUpperCase": "Lu",
    "IsAlphabetic": "L",
    "IsLetter": "L",
    "IsUppercase": "Lu",
    "IsLowercase": "Ll",
    "IsDigit": "Nd",
    "IsPunctuation": "P",
    "IsWhite_Space": "Z",
}
_BLOCKS: Final = {
    "IsLatin": "A-Za-z\\xaa\\xba\\xc0-\\xd6\\xd8-\\xf6\\xf8-\\u02b8\\u1e00-\\u1eff",
    "IsGreek": "\\u0370-\\u03ff\\u1f00-\\u1fff",
    "InGreek": "\\u0370-\\u03ff",
    "IsCyrillic": "\\u0400-\\u052f",
    "InCyrillic": "\\u0400-\\u04ff",
    "IsHan": "\\u2e80-\\u2fd5\\u3005\\u3007\\u3021-\\u3029\\u3400-\\u4dbf\\u4e00-\\u9fff",
}
_GROUP_NAME: Final = re.compile(r"\(\?<([a-zA-Z][a-zA-Z0-9]*)>")
_FLAGS: Final = re.compile(r"\(\?([idmsuxU]*)(?:-([idmsuxU]*))?([:)])")


@lru_cache(maxsize=512)
def java_pattern(text: str) -> re.Pattern[str]:
    """The compiled pattern of a Java regular expression. Raises ValueError for one that Java refuses."""
    try:
        return re.compile(_Translator(text).translate(), re.ASCII)
    except (re.error, RecursionError, OverflowError) as e:
        raise ValueError(f"Invalid regular expression pattern: {text}") from e


def matches(compiled: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """All matches as Java finds them: after an empty one it goes on a character later."""
    at = 0
    while at <= len(text) and (found := compiled.search(text, at)):
        yield found
        at = found.end() + (found.end() == found.start())


@lru_cache(maxsize=64)
def _category(name: str) -> str:
    """The inside of a character class with all characters of a Unicode category."""
    ranges: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)).startswith(name):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    if not ranges:
        raise ValueError(f"Unknown character property name {{{name}}}")
    return "".join(f"\\U{a:08x}-\\U{b:08x}" for a, b in ranges)


class _Translator:
    """One pass over a pattern."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.dotall = False

    def translate(self) -> str:
        made = self._alternatives()
        if self.pos < len(self.text):
            raise ValueError(f"Unmatched closing ')' in {self.text}")
        return made

    def _alternatives(self) -> str:
        """Up to the end or the closing parenthesis; inline flags open a group that ends with it."""
        out: list[str] = []
        opened, saved = 0, self.dotall
        while self.pos < len(self.text) and self.text[self.pos] != ")":
            flags = _FLAGS.match(self.text, self.pos)
            if flags and flags[3] == ")":
                self.pos = flags.end()
                out.append(self._flags(flags))
                # Flags reach over the rest of the group, its later alternatives included.
                opened += 1
            else:
                out.append(self._item())
        self.dotall = saved
        return "".join(out) + ")" * opened

    def _flags(self, found: re.Match[str]) -> str:
        on, off = found[1], found[2] or ""
        self.dotall = ("s" in on or self.dotall) and "s" not in off
        kept = "".join(c for c in on if c in "imsx")
        dropped = "".join(c for c in off if c in "imsx")
        return f"(?{kept}{'-' + dropped if dropped else ''}:"

    def _item(self) -> str:
        char = self.text[self.pos]
        if char == "(":
            return self._group()
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escape(in_class=False)
        self.pos += 1
        if char == ".":
            return "(?s:.)" if self.dotall else f"[^{_LINE_ENDS}]"
        if char == "{":  # Python would take it as a plain character where it is no quantifier
            found = re.compile(r"\d+(?:,\d*)?\}").match(self.text, self.pos)
            if not found:
                raise ValueError(f"Illegal repetition in {self.text}")
            self.pos = found.end()
            return "{" + found[0]
        return char

    def _group(self) -> str:
        name = _GROUP_NAME.match(self.text, self.pos)
        flags = _FLAGS.match(self.text, self.pos)
        saved = self.dotall
        if name:
            head, self.pos = f"(?P<{name[1]}>", name.end()
        elif flags:
            head, self.pos = self._flags(flags), flags.end()
        else:
            kind = re.compile(r"\((?:\?(?:<?[=!]|:|>))?").match(self.text, self.pos)
            assert kind
            head, self.pos = kind[0], kind.end()
        body = self._alternatives()
        self.dotall = saved
        if self.pos >= len(self.text):
            raise ValueError(f"Unclosed group in {self.text}")
        self.pos += 1
        return f"{head}{body})"

    def _escape(self, *, in_class: bool) -> str:
        self.pos += 1
        if self.pos >= len(self.text):
            raise ValueError(f"Unexpected internal error in {self.text}")
        char = self.text[self.pos]
        self.pos += 1
        if char == "Q":
            end = self.text.find("\\E", self.pos)
            quoted = self.text[self.pos :] if end < 0 else self.text[self.pos : end]
            self.pos = len(self.text) if end < 0 else end + 2
            return re.escape(quoted)
        if char in "pP":
            return self._property(char == "P", in_class)
        if char == "x" and self.text.startswith("{", self.pos):
            end = self.text.index("}", self.pos)
            code = int(self.text[self.pos + 1 : end], 16)
            self.pos = end + 1
            return f"\\U{code:08x}"
        if char == "0":
            octal = re.compile(r"[0-3]?[0-7]{1,2}").match(self.text, self.pos)
            if not octal:
                raise ValueError(f"Illegal octal escape sequence in {self.text}")
            self.pos = octal.end()
            return f"\\x{int(octal[0], 8):02x}"
        if char == "c":
            self.pos += 1
            return f"\\x{ord(self.text[self.pos - 1]) ^ 64:02x}"
        if char == "k":
            end = self.text.index(">", self.pos)
            name, self.pos = self.text[self.pos + 1 : end], end + 1
            return f"(?P={name})"
        if char in "hH":
            inside = _HORIZONTAL if char == "h" else None
            if in_class and inside:
                return inside
            return f"[{'^' if char == 'H' else ''}{_HORIZONTAL}]"
        if char == "v":
            return _LINE_ENDS + "\\x0b\\f" if in_class else f"[{_LINE_ENDS}\\x0b\\f]"
        if char == "V" and not in_class:
            return f"[^{_LINE_ENDS}\\x0b\\f]"
        simple = {
            "z": r"\Z",
            "Z": r"(?=\n?\Z)",
            "R": r"(?:\r\n|[\n\x0b\f\r\u0085\u2028\u2029])",
            "e": r"\x1b",
            "G": "",
            "b": r"(?u:\b)",  # ASCII for \w, but not for the bounds of words
            "B": r"(?u:\B)",
        }
        if char in simple:
            return simple[char]
        if char == "E":
            return ""
        if char.isalpha() and char.isascii() and char not in "dDwWsSbBAtnrfaux":
            raise ValueError(f"Illegal/unsupported escape sequence in {self.text}")
        return "\\" + char if char.isascii() else char

    def _property(self, negated: bool, in_class: bool) -> str:
        if self.text.startswith("{", self.pos):
            end = self.text.index("}", self.pos)
            name, self.pos = self.text[self.pos + 1 : end], end + 1
        else:
            name, self.pos = self.text[self.pos], self.pos + 1
        name = name.rpartition("=")[2]
        inside = _ASCII.get(name) or _BLOCKS.get(name)
        if inside is None:
            short = _JAVA_CLASSES.get(name, name.removeprefix("Is"))
            inside = _category(short)
        if not in_class:
            return f"[{'^' if negated else ''}{inside}]"
        if negated:
            raise ValueError(f"\\P inside a character class is not supported: {self.text}")
        return inside

    def _class(self) -> str:
        """A character class as one or more of Python's: unions become alternatives, intersections lookaheads."""
        self.pos += 1
        negated = self.text.startswith("^", self.pos)
        self.pos += negated
        parts: list[str] = []  # operands of &&
        plain, nested = "", list[str]()  # the operand being read
        first = True
        while True:
            if self.pos >= len(self.text):
                raise ValueError(f"Unclosed character class in {self.text}")
            char = self.text[self.pos]
            if char == "]" and not first:
                self.pos += 1
                break
            if self.text.startswith("&&", self.pos):
                self.pos += 2
                parts.append(self._union(plain, nested))
                plain, nested = "", []
            elif char == "[":
                nested.append(self._class())
            elif char == "\\":
                plain += self._escape(in_class=True)
            else:
                plain += "\\" + char if char in "[]|~&" else char
                self.pos += 1
            first = False
        parts.append(self._union(plain, nested))
        if len(parts) == 1 and not nested:
            return f"[{'^' if negated else ''}{plain}]"
        *others, last = [p for p in parts if p]
        found = "".join(f"(?={o})" for o in others) + last
        return f"(?!{found})(?s:.)" if negated else f"(?:{found})"

    @staticmethod
    def _union(plain: str, nested: list[str]) -> str:
        options = [*([f"[{plain}]"] if plain else []), *nested]
        return options[0] if len(options) == 1 else f"(?:{'|'.join(options)})" if options else ""


def replacement(text: str, found: re.Match[str]) -> str:
    """The text of Java's replaceAll for a match. Raises ValueError for a reference to no group."""
    out: list[str] = []
    i = 0
    while i < len(text):
        char = text[i]
        i += 1
        if char == "\\":
            if i >= len(text):
                raise ValueError("character to be escaped is missing")
            out.append(text[i])
            i += 1
        elif char == "$":
            group, i = _reference(text, i, found)
            out.append(group or "")
        else:
            out.append(char)
    return "".join(out)


def _reference(text: str, i: int, found: re.Match[str]) -> tuple[str | None, int]:
    if text.startswith("{", i):
        end = text.find("}", i)
        name = text[i + 1 : end]
        if end < 0 or name not in found.re.groupindex:
            raise ValueError(f"No group with name {{{name}}}")
        return found[name], end + 1
    if not text[i : i + 1].isdigit():
        raise ValueError("Illegal group reference")
    number, i = int(text[i]), i + 1
    while text[i : i + 1].isdigit() and number * 10 + int(text[i]) <= found.re.groups:
        number, i = number * 10 + int(text[i]), i + 1
    if number > found.re.groups:
        raise ValueError(f"No group {number}")
    return found[number], i
