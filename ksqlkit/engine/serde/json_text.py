"""JSON text as Jackson writes it: to bytes with surrogate escapes, to strings without."""

from __future__ import annotations

import re
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, Final

from ksqlkit.engine.java_numbers import double_to_string

_ESCAPE: Final = re.compile(r"\\(?:u00[01][0-9a-f]|.)")
_BEYOND: Final = re.compile("[\ud800-\udfff\U00010000-\U0010ffff]")


def _upper(match: re.Match[str]) -> str:
    escape = match.group()
    return escape if len(escape) == 2 else "\\u" + escape[2:].upper()


def _surrogates(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be", "surrogatepass").hex().upper()
    return "".join("\\u" + units[i : i + 4] for i in range(0, len(units), 4))


def as_jackson(text: str) -> bytes:
    """JSON text as bytes, control escapes in upper case, characters beyond U+FFFF as escaped surrogates."""
    if "\\u00" in text:
        text = _ESCAPE.sub(_upper, text)
    return (text if text.isascii() else _BEYOND.sub(_surrogates, text)).encode()


def quote(text: str) -> str:
    """A JSON string literal; characters beyond U+FFFF stay as they are."""
    quoted = encode_basestring(text)
    return _ESCAPE.sub(_upper, quoted) if "\\u00" in quoted else quoted


def to_text(value: Any) -> str:
    """A value of parsed JSON as compact text; numbers keep their digits."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return quote(value)
        case dict():
            return "{" + ",".join(f"{quote(k)}:{to_text(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ",".join(map(to_text, value)) + "]"
        case float():
            return double_to_string(value)
        case int() | Decimal():
            return str(value)
    raise TypeError(f"not a JSON value: {type(value).__name__}")
