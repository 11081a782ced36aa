"""The JSON_SR format: magic byte, schema id, and JSON as in the JSON format; the schema says what is in it.

Records are read by their own content, with the JSON format's coercions, whatever their schema says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde import json_read, json_write
from ksqlkit.engine.serde.errors import SerdeError
from ksqlkit.engine.serde.java_map import hash_order
from ksqlkit.engine.serde.registry import PREFIX, SchemaRegistry, split_prefix, subject_name

_CONNECT: Final = "org.apache.kafka.connect.data."
_PLAIN: Final[dict[T.SqlType, dict[str, Any]]] = {
    T.BOOLEAN: {"type": "boolean"},
    T.INTEGER: {"type": "integer", "connect.type": "int32"},
    T.BIGINT: {"type": "integer", "connect.type": "int64"},
    T.DOUBLE: {"type": "number", "connect.type": "float64"},
    T.STRING: {"type": "string"},
    T.BYTES: {"type": "string", "connect.type": "bytes"},
    T.TIME: {"type": "integer", "title": _CONNECT + "Time", "connect.version": 1, "connect.type": "int32"},
    T.DATE: {"type": "integer", "title": _CONNECT + "Date", "connect.version": 1, "connect.type": "int32"},
    T.TIMESTAMP: {
        "type": "integer",
        "title": _CONNECT + "Timestamp",
        "connect.version": 1,
        "connect.type": "int64",
    },
}


def schema_of_row(columns: Sequence[tuple[str, T.SqlType]]) -> dict[str, Any]:
    """The JSON schema of an object with these fields, each of which may be null; in the order ksqlDB's map has."""
    fields: dict[str | None, Any] = {
        name: {"connect.index": i} | _nullable(kind) for i, (name, kind) in enumerate(columns)
    }
    return {"type": "object", "properties": hash_order(fields, capacity=16)}


def _nullable(kind: T.SqlType) -> dict[str, Any]:
    return {"oneOf": [{"type": "null"}, _schema(kind)]}


def _schema(kind: T.SqlType) -> dict[str, Any]:
    if kind in _PLAIN:
        return _PLAIN[kind]
    match kind:
        case T.Decimal(precision, scale):
            return {
                "type": "number",
                "title": _CONNECT + "Decimal",
                "connect.version": 1,
                "connect.type": "bytes",
                "connect.parameters": {"scale": str(scale), "connect.decimal.precision": str(precision)},
            }
        case T.Array(item):
            return {"type": "array", "items": _nullable(item)}
        case T.Map(_, item):
            return {"type": "object", "connect.type": "map", "additionalProperties": _nullable(item)}
        case T.Struct(fields):
            return schema_of_row(fields)
    raise TypeError(f"no JSON schema for type {kind}")


def make_reader(
    columns: Sequence[Column], *, wrapped: bool, where: str, topic: str
) -> Callable[[bytes | None], tuple[Any, ...] | None]:
    """A reader of records with any schema id."""
    read_json = json_read.make_reader(columns, wrapped=wrapped, where=where)

    def read(data: bytes | None) -> tuple[Any, ...] | None:
        if data is None:
            return None
        try:
            _, payload = split_prefix(data)
        except ValueError as error:
            raise SerdeError(f"Error deserializing message from topic: {topic}", (str(error),)) from None
        return read_json(payload)

    return read


def make_writer(
    columns: Sequence[Column],
    *,
    wrapped: bool,
    registry: SchemaRegistry,
    topic: str,
    is_key: bool,
    number: int | None = None,
) -> Callable[[Sequence[Any] | None], bytes | None]:
    """A writer of records: under the schema of that number, or the columns' one, which it registers under the topic's
    subject."""
    entry = registry.by_id(number) if number is not None else None
    if entry is None:
        schema = schema_of_row([(c.name, c.type) for c in columns]) if wrapped else _nullable(columns[0].type)
        entry = registry.register(subject_name(topic, is_key=is_key), "JSON", json.dumps(schema))
    prefix = PREFIX.pack(0, entry.id)
    write_json = json_write.make_writer(columns, wrapped=wrapped, topic=topic)

    def write(row: Sequence[Any] | None) -> bytes | None:
        written = write_json(row)
        return None if written is None else prefix + written

    return write
