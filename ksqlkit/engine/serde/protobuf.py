"""The PROTOBUF_NOSR format: columns as a proto3 message whose fields are numbered in column order.

As in ksqlDB a null number, text, array or map is written as nothing and read back as 0, "", [] or {}, unless
the format's NULLABLE_REPRESENTATION is OPTIONAL (proto3 `optional`) or WRAPPER (google.protobuf.Int32Value
and so on).
"""

from __future__ import annotations

import datetime
import struct
from collections.abc import Callable, Sequence
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde import protobuf_read, protobuf_write
from ksqlkit.engine.serde import protobuf_wire as wire
from ksqlkit.engine.serde.errors import SerdeError
from ksqlkit.engine.serde.protobuf_wire import (
    BOOL,
    BYTES,
    DOUBLE,
    INT32,
    INT64,
    STRING,
    Field,
    Kind,
    Layout,
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
    return wire.message(wire.plain_layout(kinds), split, join)


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
            return wire.struct_message(make_layout(fields, nullable), [name for name, _ in fields])
        case T.Array() | T.Map():
            # A list of lists has no direct form: the inner one is a message of its own.
            layout = make_layout((("value", kind),), nullable)
            return wire.message(layout, lambda value: [value], itemgetter(0))
    return _PRIMITIVES[kind]


def make_layout(columns: Sequence[tuple[str, T.SqlType]], nullable: str) -> Layout:
    """The message of columns, with field numbers 1, 2, ..."""
    fields = []
    maps = set()
    for i, (name, kind) in enumerate(columns):
        if isinstance(kind, T.Array):
            fields.append(Field(i + 1, name, value_kind(kind.item, nullable), repeated=True))
        elif isinstance(kind, T.Map):
            pair = _message([STRING, value_kind(kind.value, nullable)], tuple, tuple)
            fields.append(Field(i + 1, name, pair, repeated=True))
            maps.add(i)
        else:
            found = value_kind(kind, nullable)
            if nullable == "WRAPPER" and found.default is not None:
                found = _message([found], lambda value: (value,), itemgetter(0))
            fields.append(Field(i + 1, name, found, explicit=nullable == "OPTIONAL"))
    return Layout(tuple(fields), tuple(range(len(fields))), frozenset(maps))


def make_reader(
    columns: Sequence[Column], *, nullable: str, topic: str
) -> Callable[[bytes | None], tuple[Any, ...] | None]:
    """A reader of messages; `nullable` is "", OPTIONAL or WRAPPER."""
    layout = make_layout([(c.name, c.type) for c in columns], nullable)
    split = protobuf_read.make_reader(layout, 0, plain_reader(layout, topic))
    return lambda data: None if data is None else split(data, 0)


def plain_reader(layout: Layout, topic: str) -> protobuf_read.Reader:
    """A reader of the message that begins at a position, without generated code."""

    def read(data: bytes, at: int) -> tuple[Any, ...]:
        try:
            return tuple(layout.read(data[at:]))
        except (ValueError, OverflowError, RecursionError, struct.error) as error:
            raise SerdeError(f"Error deserializing message from topic: {topic}", (str(error),)) from None

    return read


def make_writer(
    columns: Sequence[Column], *, nullable: str, wrapped: bool, topic: str
) -> Callable[[Sequence[Any] | None], bytes | None]:
    """A writer of messages; None, or a null single value without a wrapper, is a tombstone."""
    layout = make_layout([(c.name, c.type) for c in columns], nullable)
    return framed(b"", layout, topic, wrapped=wrapped)


def framed(prefix: bytes, layout: Layout, topic: str, *, wrapped: bool = True) -> protobuf_write.Writer:
    """A writer of messages with a prefix."""
    slow = plain_writer(prefix, layout, topic, wrapped=wrapped)
    return protobuf_write.make_writer(layout, prefix=prefix, wrapped=wrapped, slow=slow)


def plain_writer(prefix: bytes, layout: Layout, topic: str, *, wrapped: bool) -> protobuf_write.Writer:
    """The same without generated code."""

    def write(row: Sequence[Any] | None) -> bytes | None:
        if row is None or (not wrapped and row[0] is None):
            return None
        try:
            return prefix + layout.write(row)
        except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, struct.error) as error:
            raise SerdeError(f"Error serializing message to topic: {topic}. {error}", (str(error),)) from None

    return write
