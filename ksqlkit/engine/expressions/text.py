"""Values of nested types as text: CAST of ARRAY, MAP and STRUCT to STRING follows Java's toString."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ksqlkit.dialect import types as T
from ksqlkit.engine.expressions.times import DAY, wire_timestamp
from ksqlkit.engine.java_numbers import double_to_string

Text = Callable[[Any], str]


def string_function(kind: T.SqlType) -> Text:
    """A function from a value that is not null to its Java text."""
    if isinstance(kind, T.Array):
        item = _or_null(string_function(kind.item))
        return lambda values: "[" + ", ".join(map(item, values)) + "]"
    if isinstance(kind, T.Map):
        key, value = _or_null(string_function(kind.key)), _or_null(string_function(kind.value))
        return lambda values: "{" + ", ".join(f"{key(k)}={value(v)}" for k, v in values.items()) + "}"
    if isinstance(kind, T.Struct):
        fields = [(name, string_function(t)) for name, t in kind.fields]
        return lambda row: (
            "Struct{" + ",".join(f"{n}={f(row[n])}" for n, f in fields if row[n] is not None) + "}"
        )
    return _SCALAR.get(str(kind), str)


def _or_null(function: Text) -> Text:
    return lambda value: "null" if value is None else function(value)


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _time(millis: int) -> str:
    minutes, seconds = divmod(millis // 1000, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


def _timestamp(millis: int) -> str:
    """As java.sql.Timestamp: a blank before the time, no trailing zeros but one."""
    text = wire_timestamp(millis).replace("T", " ").rstrip("0")
    return text + "0" if text.endswith(".") else text


def _bytes(value: bytes) -> str:
    return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"


def _date(days: int) -> str:
    return wire_timestamp(days * DAY).partition("T")[0]


_SCALAR: dict[str, Text] = {
    "BOOLEAN": _boolean,
    "DOUBLE": double_to_string,
    "BYTES": _bytes,
    "DATE": _date,
    "TIME": _time,
    "TIMESTAMP": _timestamp,
}
