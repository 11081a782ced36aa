"""String functions. Lengths and positions count UTF-16 units, from 1."""

from __future__ import annotations

import re
from typing import Any

from ksqlkit.engine.functions.define import Family
from ksqlkit.engine.functions.utf16 import joined, units
from ksqlkit.engine.java_numbers import utf16_length, wrap_int
from ksqlkit.errors import DataError

strings = Family("STRING")

_WORD = re.compile(r"[^ \t\n\x0b\f\r]+[ \t\n\x0b\f\r]*")
_LONGEST = 1 << 24  # a server must survive LPAD(x, 2147483647, y)
_CONTROL_AND_SPACE = "".join(map(chr, range(33)))
_ESCAPE = re.compile(r"\\(?:u+([0-9a-fA-F]{4})|([0-7]{1,3})|(.))", re.S)
_NAMED = {"b": "\b", "n": "\n", "t": "\t", "f": "\f", "r": "\r"}


@strings.scalar("UCASE(VARCHAR input) -> VARCHAR", inline="{0}.upper()")
def ucase(text: str) -> str:
    """The string in upper case."""
    return text.upper()


@strings.scalar("LCASE(VARCHAR input) -> VARCHAR", inline="{0}.lower()")
def lcase(text: str) -> str:
    """The string in lower case."""
    return text.lower()


@strings.scalar("TRIM(VARCHAR input) -> VARCHAR")
def trim(text: str) -> str:
    """The string without spaces and control characters at its ends."""
    return text.strip(_CONTROL_AND_SPACE)


@strings.scalar("LEN(BYTES input) -> INT", about="The number of bytes.")
@strings.scalar("LEN(VARCHAR input) -> INT", about="The length of a string.")
def len_(value: str | bytes) -> int:
    """The length of a string or of bytes."""
    return utf16_length(value) if isinstance(value, str) else len(value)


@strings.scalar("INITCAP(VARCHAR str) -> VARCHAR")
def initcap(text: str) -> str:
    """Upper case for the first letter of each word, lower case for the others."""
    return "".join(w[0].upper() + w[1:] for w in _WORD.findall(text.lower()))


@strings.scalar("REPLACE(VARCHAR str, VARCHAR oldStr, VARCHAR newStr) -> VARCHAR")
def replace(text: str, old: str, new: str) -> str:
    """The string with every occurrence of a substring replaced."""
    return text.replace(old, new) if old else joined(units(text).replace(old, new))


@strings.scalar(
    "CONCAT(VARCHAR... inputs) -> VARCHAR",
    sees_null=True,
    notes={"inputs": "The strings"},
)
def concat(*values: str | None) -> str:
    """Strings, or bytes, joined end to end."""
    return joined("".join([v for v in values if v is not None]))


@strings.scalar(
    "CONCAT(BYTES... inputs) -> BYTES",
    sees_null=True,
    notes={"inputs": "The bytes"},
)
def concat_bytes(*values: bytes | None) -> bytes:
    """Bytes joined."""
    return b"".join([v for v in values if v is not None])


@strings.scalar("CONCAT_WS(VARCHAR... inputs) -> VARCHAR", sees_null=True)
def concat_ws(*values: str | None) -> str | None:
    """Joins strings or bytes with a separator, the first argument; NULLs are left out."""
    if len(values) < 2:
        raise DataError("Function Concat_WS expects at least two input arguments.")
    separator, *rest = values
    return None if separator is None else joined(separator.join([v for v in rest if v is not None]))


@strings.scalar("CONCAT_WS(BYTES... inputs) -> BYTES", sees_null=True)
def concat_ws_bytes(*values: bytes | None) -> bytes | None:
    """Bytes joined with a separator."""
    if len(values) < 2:
        raise DataError("Function Concat_WS expects at least two input arguments.")
    separator, *rest = values
    return None if separator is None else separator.join([v for v in rest if v is not None])


_SOURCE = {
    "str": "The source string.",
    "bytes": "The source bytes.",
    "pos": "Where to start; the first is 1, -1 is the last.",
}
_LENGTH = {**_SOURCE, "length": "How much to take."}


def _start(size: int, pos: int) -> int:
    return max(size + pos, 0) if pos < 0 else max(min(pos - 1, size), 0)


def substring(value: Any, pos: int, length: int | None = None) -> Any:
    """A part of a string, or of bytes, by position and length."""
    text = isinstance(value, str)
    whole = units(value) if text else value
    start = _start(len(whole), pos)
    end = len(whole) if length is None else max(min(wrap_int(start + length), len(whole)), start)
    return joined(whole[start:end]) if text else whole[start:end]


for _kind, _name, _noun in (("VARCHAR", "str", "str"), ("BYTES", "bytes", "the bytes value")):
    strings.scalar(
        f"SUBSTRING({_kind} {_name}, INT pos, INT length) -> {_kind}",
        about=f"From {_noun}, what starts at pos, as long as length says",
        notes=_LENGTH,
    )(substring)
for _kind, _name, _noun in (("BYTES", "bytes", "the bytes value"), ("VARCHAR", "str", "str")):
    strings.scalar(
        f"SUBSTRING({_kind} {_name}, INT pos) -> {_kind}",
        about=f"From {_noun}, what starts at pos, to the end",
        notes=_SOURCE,
    )(substring)


@strings.scalar(
    "INSTR(VARCHAR str, VARCHAR substring) -> INT",
    "INSTR(VARCHAR str, VARCHAR substring, INT position, INT occurrence) -> INT",
    "INSTR(VARCHAR str, VARCHAR substring, INT position) -> INT",
    sees_null=True,
)
def instr(
    text: str | None, part: str | None, position: int | None = 1, occurrence: int | None = 1
) -> int | None:
    """The position of the n-th occurrence of a substring, 0 if there is none; a negative start searches backwards."""
    if position is None or occurrence is None:
        raise DataError("INSTR: position and occurrence must not be NULL")
    if text is None or part is None:
        return 0
    text, part = units(text), units(part)
    if abs(position) > len(text):
        return 0
    if position < 0:
        found = _nth(text[::-1][-position - 1 :], part[::-1], occurrence)
        return 0 if found < 0 else len(text) + position - found - len(part) + 2
    found = _nth(text[max(position - 1, 0) :] if position else text[-1:], part, occurrence)
    return 0 if found < 0 else found + position


def _nth(text: str, part: str, occurrence: int) -> int:
    """Index of the n-th occurrence, overlapping ones counted, or -1."""
    if occurrence <= 0:
        return -1
    if not part:
        return 0
    at = -1
    for _ in range(occurrence):
        at = text.find(part, at + 1)
        if at < 0:
            return -1
    return at


@strings.scalar(
    "LPAD(VARCHAR input, INT targetLen, VARCHAR padding) -> VARCHAR",
    "LPAD(BYTES input, INT targetLen, BYTES padding) -> BYTES",
)
def lpad(value: Any, length: int, padding: Any) -> Any:
    """Pads on the left to a length; what is longer is cut."""
    return _pad(value, length, padding, left=True)


@strings.scalar(
    "RPAD(VARCHAR input, INT targetLen, VARCHAR padding) -> VARCHAR",
    "RPAD(BYTES input, INT targetLen, BYTES padding) -> BYTES",
)
def rpad(value: Any, length: int, padding: Any) -> Any:
    """Pads on the right to a length; what is longer is cut."""
    return _pad(value, length, padding, left=False)


def _pad(value: Any, length: int, padding: Any, *, left: bool) -> Any:
    if length < 0 or not padding:
        return None
    if length > _LONGEST:
        raise DataError(f"A length of {length} is too much; at most {_LONGEST} is allowed.")
    text = isinstance(value, str)
    if text:
        value, padding = units(value), units(padding)
    missing = max(length - len(value), 0)
    fill = (padding * (missing // len(padding) + 1))[:missing]
    padded = (fill + value if left else value + fill)[:length]
    return joined(padded) if text else padded


@strings.scalar("CHR(INT decimalCode) -> VARCHAR")
def chr_(code: int) -> str | None:
    """The character of a code point, or of an escape such as \\\\u004B."""
    return chr(code) if 0 <= code <= 0x10FFFF else None


@strings.scalar("CHR(VARCHAR utf16Code) -> VARCHAR")
def chr_escape(code: str) -> str | None:
    """The text of Java escapes."""
    if len(code) < 6 or not code.startswith("\\u"):
        return None

    def one(found: re.Match[str]) -> str:
        hexadecimal, octal, other = found.groups()
        if hexadecimal:
            return chr(int(hexadecimal, 16))
        if octal:
            return chr(int(octal, 8))
        if other == "u":
            raise DataError(f"Less than 4 hex digits in unicode value: '{code}'")
        return _NAMED.get(other, other)

    return joined(_ESCAPE.sub(one, code))


@strings.scalar("ELT(INT n, VARCHAR... args) -> VARCHAR", sees_null=True, primitive=("n",))
def elt(n: int, *values: str | None) -> str | None:
    """The n-th of some strings, counted from 1."""
    return values[n - 1] if 1 <= n <= len(values) else None


@strings.scalar("FIELD(VARCHAR str, VARCHAR... args) -> INT", sees_null=True)
def field(text: str | None, *values: str | None) -> int:
    """The position of a string among others, counted from 1, or 0."""
    return values.index(text) + 1 if text is not None and text in values else 0


@strings.scalar("MD5(VARCHAR s) -> VARCHAR")
def md5(text: str) -> str:
    """The MD5 digest of a string in hexadecimal."""
    import hashlib

    return hashlib.md5(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


@strings.scalar("UUID() -> VARCHAR", deterministic=False)
def uuid() -> str:
    """A random UUID, or the UUID of 16 bytes."""
    from uuid import uuid4

    return str(uuid4())


@strings.scalar("UUID(BYTES bytes) -> VARCHAR")
def uuid_of(value: bytes) -> str | None:
    """The UUID of 16 bytes."""
    digits = value.hex()
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(parts) if len(value) == 16 else None


@strings.scalar("SPLIT(VARCHAR string, VARCHAR delimiter) -> ARRAY<VARCHAR>")
def split(text: str, delimiter: str) -> list[str]:
    """The parts of a string or of bytes between delimiters; an empty delimiter splits everywhere."""
    return text.split(delimiter) if delimiter else list(units(text)) or [""]


@strings.scalar("SPLIT(BYTES bytes, BYTES delimiter) -> ARRAY<BYTES>")
def split_bytes(value: bytes, delimiter: bytes) -> list[bytes]:
    """The parts of bytes."""
    if delimiter or not value:
        return value.split(delimiter) if delimiter else [value]
    return [value[i : i + 1] for i in range(len(value))]


@strings.scalar(
    "SPLIT_TO_MAP(VARCHAR input, VARCHAR entryDelimiter, VARCHAR kvDelimiter) -> MAP<VARCHAR, VARCHAR>"
)
def split_to_map(text: str, entry: str, pair: str) -> dict[str, str] | None:
    """A map from the key-value pairs of a string."""
    if not entry or not pair or entry == pair:
        return None
    pairs = [e.split(pair) for e in text.split(entry) if pair in e]
    return {p[0]: p[1] for p in pairs}
