"""Strings as Java sees them: sequences of UTF-16 units. Half of a pair may stand alone in a value."""

from __future__ import annotations


def units(text: str) -> str:
    """The text with each character beyond U+FFFF as its two surrogates, so that indexes are Java's."""
    if text.isascii() or max(text) <= "\uffff":
        return text
    return "".join(c if c <= "\uffff" else _pair(ord(c)) for c in text)


def _pair(code: int) -> str:
    code -= 0x10000
    return chr(0xD800 | code >> 10) + chr(0xDC00 | code & 0x3FF)


def joined(text: str) -> str:
    """The text with surrogate pairs made one character again; the reverse of `units`."""
    if text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text):
        return text
    return text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "surrogatepass")
