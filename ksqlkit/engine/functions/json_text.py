"""JSON as Jackson reads and writes it: numbers keep their digits, text after the first value is ignored."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from ksqlkit.engine.java_numbers import double_to_string
from ksqlkit.errors import DataError


class Missing:
    """What an empty text holds."""


MISSING: Final = Missing()
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_AFTER_SCALAR: Final = re.compile(r"[ \t\n\r]|\Z")
_SPECIAL: Final = re.compile(r'["\\\x00-\x1f]')
_SHORT: Final = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_decoder: Final = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)


def parse_at(text: str, start: int) -> tuple[Any, int]:
    """The value at a position (which must not be white space) and where it ends. Raises DataError."""
    try:
        return _decoder.raw_decode(text, start)
    except (ValueError, RecursionError) as e:
        raise DataError(f"Invalid JSON format:{text}") from e


def skip_space(text: str, start: int) -> int:
    """The position of the next character that is not white space."""
    found = _SPACE.match(text, start)
    assert found
    return found.end()


def parse(text: str) -> Any:
    """The first value of a text, MISSING for an empty one. Raises DataError."""
    start = skip_space(text, 0)
    if start == len(text):
        return MISSING
    value, end = parse_at(text, start)
    if text[start] not in '{["' and not _AFTER_SCALAR.match(text, end):
        raise DataError(f"Invalid JSON format:{text}")
    return value


def array_items(text: str) -> Iterator[Any]:
    """The items of a JSON array, read one by one; nothing if the text holds something else. Raises DataError."""
    at = skip_space(text, 0)
    if text[at : at + 1] != "[":
        return
    at = skip_space(text, at + 1)
    while text[at : at + 1] != "]":
        value, at = parse_at(text, at)
        yield value
        at = skip_space(text, at)
        if text[at : at + 1] == ",":
            at = skip_space(text, at + 1)
        elif text[at : at + 1] != "]":
            raise DataError(f"Invalid JSON format:{text}")


def quote(text: str) -> str:
    """A JSON string."""
    return '"' + _SPECIAL.sub(lambda m: _SHORT.get(m[0]) or f"\\u{ord(m[0]):04X}", text) + '"'


def dump(value: Any, *, plain: bool = True) -> str:
    """JSON text without spaces; decimals without an exponent if `plain`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, Decimal):
        value = value.copy_abs() if value.is_zero() else value  # Java's has no negative zero
        return f"{value:f}" if plain else str(value)
    if isinstance(value, float):
        text = double_to_string(value)
        return f'"{text}"' if text[-1] in "Ny" else text
    if isinstance(value, dict):
        return "{" + ",".join(f"{quote(k)}:{dump(v, plain=plain)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(dump(v, plain=plain) for v in value) + "]"
    return str(value)
