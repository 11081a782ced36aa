"""Rows of results as JSON text, exactly as ksqlDB's /query-stream prints them."""

from __future__ import annotations

import base64
import decimal
from collections.abc import Callable, Sequence
from json.encoder import encode_basestring
from typing import Any, Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.expressions.times import format_date, format_time, wire_timestamp
from ksqlkit.engine.java_numbers import double_to_string
from ksqlkit.engine.serde.json_text import as_jackson

Text = Callable[[Any], str]
RowEncoder = Callable[[Sequence[Any]], bytes]
_DIRECT: Final = frozenset((T.BOOLEAN, T.INTEGER, T.BIGINT, T.STRING))


def make_row_encoder(types: Sequence[T.SqlType]) -> RowEncoder:
    """A function from the values of one row to a JSON array. It raises ValueError for a MAP with a null key.

    DOUBLE is Java's text (NaN and infinities as strings), DECIMAL keeps its scale, BYTES is base64, TIMESTAMP before
    1582-10-15 is in the Julian calendar, characters beyond U+FFFF are escaped.
    """
    general = _general(types)
    if not types or not all(map(_direct, types)):
        return general
    import orjson

    dumps = orjson.dumps

    def encode(row: Sequence[Any]) -> bytes:
        try:
            data = dumps(row)
        except TypeError:  # half a surrogate pair
            return general(row)
        return data if data.isascii() and b"\\u" not in data else as_jackson(data.decode())

    return encode


def _direct(kind: T.SqlType) -> bool:
    """Whether a fast JSON library prints the type as Java does."""
    if isinstance(kind, T.Array):
        return _direct(kind.item)
    if isinstance(kind, T.Struct):
        return all(_direct(t) for _, t in kind.fields)
    return kind in _DIRECT


def _general(types: Sequence[T.SqlType]) -> RowEncoder:
    scope: dict[str, Any] = {f"f{i}": value_text(t) for i, t in enumerate(types)}
    parts = []
    for i, kind in enumerate(types):
        shown = f"v{i}" if kind in (T.INTEGER, T.BIGINT) else f"f{i}(v{i})"
        if kind == T.DOUBLE:  # where Python and Java write the same
            shown = f"v{i} if 0.001 <= v{i} < 1e7 else {shown}"
        parts.append(f"{{'null' if v{i} is None else {shown}}}")
    unpack = "".join(f"v{i}, " for i in range(len(types))) + "= row" if types else "pass"
    exec(f'def text(row):\n    {unpack}\n    return f"[{",".join(parts)}]"\n', scope)
    text: Callable[[Sequence[Any]], str] = scope["text"]

    return lambda row: as_jackson(text(row))


def value_text(kind: T.SqlType, *, in_struct: bool = False) -> Text:
    """A function from a value that is not null to its JSON text (escapes still as Python writes them).

    Within a STRUCT the server prints DECIMAL as a double and times as numbers.
    """
    if isinstance(kind, T.Decimal):
        return _decimal_in_struct if in_struct else _decimal
    if isinstance(kind, T.Array):
        item = _or_null(value_text(kind.item, in_struct=in_struct))
        return lambda values: "[" + ",".join(map(item, values)) + "]"
    if isinstance(kind, T.Map):
        key, value = _key_text(kind.key), _or_null(value_text(kind.value, in_struct=in_struct))
        return lambda values: "{" + ",".join(f"{key(k)}:{value(v)}" for k, v in values.items()) + "}"
    if isinstance(kind, T.Struct):
        fields = [
            (name, encode_basestring(name), _or_null(value_text(t, in_struct=True)))
            for name, t in kind.fields
        ]
        return lambda row: "{" + ",".join(f"{label}:{text(row[name])}" for name, label, text in fields) + "}"
    if in_struct and kind in (T.DATE, T.TIME, T.TIMESTAMP):
        return str
    return _SCALAR[str(kind)]


def _key_text(kind: T.SqlType) -> Text:
    inner = value_text(kind)

    def text(key: Any) -> str:
        if key is None:
            raise ValueError("Failed to serialize buffer: a MAP has a null key")
        shown = inner(key)
        return shown if shown[0] == '"' else encode_basestring(shown)

    return text


def _or_null(text: Text) -> Text:
    return lambda value: "null" if value is None else text(value)


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _double(value: float) -> str:
    text = double_to_string(value)
    return text if value - value == 0 else f'"{text}"'


def _decimal(value: decimal.Decimal) -> str:
    return format(value, "f")


def _decimal_in_struct(value: decimal.Decimal) -> str:
    return double_to_string(float(value))


def _bytes(value: bytes) -> str:
    return f'"{base64.b64encode(value).decode()}"'


_SCALAR: Final[dict[str, Text]] = {
    "BOOLEAN": _boolean,
    "INTEGER": str,
    "BIGINT": str,
    "DOUBLE": _double,
    "STRING": encode_basestring,
    "BYTES": _bytes,
    "TIME": lambda v: f'"{format_time(v)}"',
    "DATE": lambda v: f'"{format_date(v)}"',
    "TIMESTAMP": lambda v: f'"{wire_timestamp(v)}"',
}
