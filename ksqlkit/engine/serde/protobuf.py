"""The PROTOBUF_NOSR format: columns as a proto3 message whose fields are numbered in column order.

As in ksqlDB a null number, text, array or map is written as nothing and read back as 0, "", [] or {}, unless
the format's NULLABLE_REPRESENTATION is OPTIONAL (proto3 `optional`) or WRAPPER (google.protobuf.Int32Value
and so on).
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde.errors import SerdeError
from ksqlkit.engine.serde.java_map import hash_order
from ksqlkit.engine.serde.protobuf_wire import (
    BOOL,
    BYTES,
    DOUBLE,
    INT32,
    INT64,
    SIZED,
    STRING,
    Field,
    Kind,
    read_message,
    write_message,
)
from ksqlkit.engine.serde.values import fit_decimal

_EPOCH: Final = datetime.date(1970, 1, 1).toordinal()
_PRIMITIVES: Final[dict[T.SqlType, Kind]] = {
    T.BOOLEAN: BOOL,
    T.INTEGER: INT32,
    T.BIGINT: INT64,
    T.DOUBLE: DOUBLE,
    T.STRING: STRING,
    T.BYTES: BYTES,
}


def _message(
    kinds: Sequence[Kind], split: Callable[[Any], Sequence[Any]], join: Callable[[Sequence[Any]], Any]
) -> Kind:
    """A message type with fields 1, 2, ...; `split` and `join` go between the value and its fields."""
    fields = tuple(Field(i, "", kind) for i, kind in enumerate(kinds, 1))
    return Kind(
        SIZED,
        None,
        lambda value: write_message(fields, split(value)),
        lambda data: join(read_message(fields, data)),
    )


def _split_time(value: int) -> Sequence[int]:
    seconds, millis = divmod(value, 1000)
    return seconds // 3600, seconds // 60 % 60, seconds % 60, millis * 1_000_000


def _split_date(value: int) -> Sequence[int]:
    day = datetime.date.fromordinal(value + _EPOCH)
    return day.year, day.month, day.day


# google.type.TimeOfDay, google.type.Date, google.protobuf.Timestamp
_TIME: Final = _message(
    [INT32] * 4, _split_time, lambda f: (f[0] * 3600 + f[1] * 60 + f[2]) * 1000 + f[3] // 1_000_000
)
_DATE: Final = _message([INT32] * 3, _split_date, lambda f: datetime.date(*f).toordinal() - _EPOCH)
_TIMESTAMP: Final = _message(
    [INT64, INT32],
    lambda value: (value // 1000, value % 1000 * 1_000_000),
    lambda f: f[0] * 1000 + f[1] // 1_000_000,
)


def _decimal(kind: T.Decimal) -> Kind:
    """confluent.type.Decimal: the unscaled value, the number's own precision, and the scale."""

    def split(value: Decimal) -> Sequence[Any]:
        whole = int(value.scaleb(kind.scale))
        size = ((whole if whole >= 0 else ~whole).bit_length() + 8) // 8
        return whole.to_bytes(size, "big", signed=True), len(str(abs(whole))), kind.scale

    def join(fields: Sequence[Any]) -> Decimal:
        return fit_decimal(Decimal(int.from_bytes(fields[0], "big", signed=True)).scaleb(-fields[2]), kind)

    return _message([BYTES, INT32, INT32], split, join)


def value_kind(kind: T.SqlType, nullable: str = "") -> Kind:
    """The wire form of one value of a type."""
    match kind:
        case T.TIME:
            return _TIME
        case T.DATE:
            return _DATE
        case T.TIMESTAMP:
            return _TIMESTAMP
        case T.Decimal():
            return _decimal(kind)
        case T.Struct(fields):
            names = [name for name, _ in fields]
            split, join = _row_codec(fields, nullable)
            return Kind(
                SIZED,
                None,
                lambda value: split([value[name] for name in names]),
                lambda data: dict(zip(names, join(data), strict=True)),
            )
        case T.Array() | T.Map():
            # A list of lists has no direct form: the inner one is a message of its own.
            split, join = _row_codec((("value", kind),), nullable)
            return Kind(SIZED, None, lambda value: split([value]), lambda data: join(data)[0])
    return _PRIMITIVES[kind]


def _row_codec(
    columns: Sequence[tuple[str, T.SqlType]], nullable: str
) -> tuple[Callable[[Sequence[Any]], bytes], Callable[[bytes], list[Any]]]:
    """Functions from the values of a message to its bytes and back."""
    fields = []
    maps: dict[int, str] = {}
    for i, (name, kind) in enumerate(columns):
        if isinstance(kind, T.Array):
            fields.append(Field(i + 1, name, value_kind(kind.item, nullable), repeated=True))
        elif isinstance(kind, T.Map):
            pair = _message([STRING, value_kind(kind.value, nullable)], tuple, tuple)
            fields.append(Field(i + 1, name, pair, repeated=True))
            maps[i] = name
        else:
            found = value_kind(kind, nullable)
            if nullable == "WRAPPER" and found.default is not None:
                found = _message([found], lambda value: (value,), lambda values: values[0])
            fields.append(Field(i + 1, name, found, explicit=nullable == "OPTIONAL"))

    def write(values: Sequence[Any]) -> bytes:
        if maps:
            values = [list(v.items()) if i in maps and v is not None else v for i, v in enumerate(values)]
        return write_message(fields, values)

    def read(data: bytes) -> list[Any]:
        values = read_message(fields, data)
        for i in maps:
            values[i] = hash_order(dict(values[i]), 16)
        return values

    return write, read


def make_reader(
    columns: Sequence[Column], *, nullable: str, topic: str
) -> Callable[[bytes | None], tuple[Any, ...] | None]:
    """A reader of messages; `nullable` is "", OPTIONAL or WRAPPER."""
    _, split = _row_codec([(c.name, c.type) for c in columns], nullable)
    return partial(_read, split, topic)


def _read(split: Callable[[bytes], list[Any]], topic: str, data: bytes | None) -> tuple[Any, ...] | None:
    if data is None:
        return None
    try:
        return tuple(split(data))
    except (ValueError, OverflowError) as error:
        raise SerdeError(f"Error deserializing message from topic: {topic}", (str(error),)) from None


def make_writer(
    columns: Sequence[Column], *, nullable: str, wrapped: bool, topic: str
) -> Callable[[Sequence[Any] | None], bytes | None]:
    """A writer of messages; None, or a null single value without a wrapper, is a tombstone."""
    return partial(_write, row_writer(columns, nullable), wrapped, topic)


def row_writer(columns: Sequence[Column], nullable: str) -> Callable[[Sequence[Any]], bytes]:
    """A function from the values of columns to their message, with field numbers 1, 2, ..."""
    write, _ = _row_codec([(c.name, c.type) for c in columns], nullable)
    return write


def framed(
    prefix: bytes, join: Callable[[Sequence[Any]], bytes], topic: str
) -> Callable[[Sequence[Any] | None], bytes | None]:
    """A writer of messages with a prefix."""
    write = partial(_write, join, True, topic)

    def write_framed(row: Sequence[Any] | None) -> bytes | None:
        written = write(row)
        return None if written is None else prefix + written

    return write_framed


def _write(
    join: Callable[[Sequence[Any]], bytes], wrapped: bool, topic: str, row: Sequence[Any] | None
) -> bytes | None:
    if row is None or (not wrapped and row[0] is None):
        return None
    try:
        return join(row)
    except (ValueError, OverflowError, TypeError, AttributeError) as error:
        raise SerdeError(f"Error serializing message to topic: {topic}. {error}", (str(error),)) from None
