"""JSON text as Jackson writes it: to bytes with surrogate escapes, to strings without."""

from __future__ import annotations

import re
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, Final

from ksqlkit.engine.java_numbers import double_to_string

_ESCAPE: Final = re.compile(rb"\\(?:u00[01][0-9a-f]|.)")
_FOUR_BYTES: Final = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}")


def _upper(match: re.Match[bytes]) -> bytes:
    escape = match.group()
    return escape if len(escape) == 2 else b"\\u" + escape[2:].upper()


def _surrogates(match: re.Match[bytes]) -> bytes:
    code = ord(match.group().decode()) - 0x10000
    return b"\\u%04X\\u%04X" % (0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF))


def as_jackson(data: bytes) -> bytes:
    """JSON bytes with upper-case control escapes and with characters beyond U+FFFF as escaped surrogates."""
    if b"\\u00" in data:
        data = _ESCAPE.sub(_upper, data)
    return data if data.isascii() else _FOUR_BYTES.sub(_surrogates, data)


def quote(text: str) -> str:
    """A JSON string literal; characters beyond U+FFFF stay as they are."""
    quoted = encode_basestring(text)
    if "\\u00" not in quoted:
        return quoted
    return _ESCAPE.sub(_upper, quoted.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


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
