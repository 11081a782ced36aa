"""The KAFKA format: one primitive as Kafka's own serializers write it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde.errors import SerdeError

_FIXED: Final[dict[T.SqlType, tuple[struct.Struct, str]]] = {
    T.INTEGER: (struct.Struct(">i"), "IntegerDeserializer"),
    T.BIGINT: (struct.Struct(">q"), "LongDeserializer"),
    T.DOUBLE: (struct.Struct(">d"), "DoubleDeserializer"),
}
SUPPORTED: Final = frozenset({T.INTEGER, T.BIGINT, T.DOUBLE, T.STRING, T.BYTES})


def none(_: object) -> None:
    """Nothing, whatever there is."""


def make_reader(columns: Sequence[Column], *, topic: str) -> Callable[[bytes | None], tuple[Any, ...] | None]:
    """A reader of one primitive; without columns whatever is there reads as null."""
    if not columns:
        return none
    kind = columns[0].type

    if kind == T.STRING:
        return lambda data: None if data is None else (data.decode("utf-8", "replace"),)
    if kind == T.BYTES:
        return lambda data: None if data is None else (data,)
    fixed, name = _FIXED[kind]
    unpack, size = fixed.unpack, fixed.size

    def read(data: bytes | None) -> tuple[Any, ...] | None:
        if data is None:
            return None
        if len(data) != size:
            cause = f"Size of data received by {name} is not {size}"
            raise SerdeError(f"Error deserializing KAFKA message from topic: {topic}", (cause,))
        return unpack(data)

    return read


def make_writer(columns: Sequence[Column], *, topic: str) -> Callable[[Sequence[Any] | None], bytes | None]:
    """A writer of one primitive; null is a null key or a tombstone."""
    if not columns:
        return none
    kind = columns[0].type

    if kind == T.STRING:
        return lambda row: None if row is None or row[0] is None else row[0].encode("utf-8", "replace")
    if kind == T.BYTES:
        return lambda row: None if row is None or row[0] is None else bytes(row[0])
    pack = _FIXED[kind][0].pack

    def write(row: Sequence[Any] | None) -> bytes | None:
        if row is None or row[0] is None:
            return None
        try:
            return pack(row[0])
        except struct.error as error:
            raise SerdeError(
                f"Error serializing KAFKA message to topic: {topic}. {error}", (str(error),)
            ) from None

    return write
