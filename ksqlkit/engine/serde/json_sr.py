"""The JSON_SR format: magic byte, schema id, and JSON as in the JSON format; the schema says what is in it.

Records are read by the schema that their writer named, as Kafka Connect does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from ksqlkit.dialect import types as T
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde import connect, json_exact, json_read, json_schema, json_write
from ksqlkit.engine.serde.errors import SerdeError
from ksqlkit.engine.serde.java_map import hash_order
from ksqlkit.engine.serde.registry import PREFIX, SchemaRegistry, split_prefix, subject_name

_PLAIN: Final[dict[T.SqlType, dict[str, Any]]] = {
    T.BOOLEAN: {"type": "boolean"},
    T.INTEGER: {"type": "integer", "connect.type": "int32"},
    T.BIGINT: {"type": "integer", "connect.type": "int64"},
    T.DOUBLE: {"type": "number", "connect.type": "float64"},
    T.STRING: {"type": "string"},
    T.BYTES: {"type": "string", "connect.type": "bytes"},
    T.TIME: {
        "type": "integer",
        "title": connect.PREFIX + "Time",
        "connect.version": 1,
        "connect.type": "int32",
    },
    T.DATE: {
        "type": "integer",
        "title": connect.PREFIX + "Date",
        "connect.version": 1,
        "connect.type": "int32",
    },
    T.TIMESTAMP: {
        "type": "integer",
        "title": connect.PREFIX + "Timestamp",
        "connect.version": 1,
        "connect.type": "int64",
    },
}
Fill = Callable[[Sequence[Any]], Sequence[Any]]


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
                "title": connect.PREFIX + "Decimal",
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
    columns: Sequence[Column], *, wrapped: bool, registry: SchemaRegistry, topic: str
) -> Callable[[bytes | None], tuple[Any, ...] | None]:
    """A reader of records written by any schema of the registry."""
    kind: T.SqlType = T.Struct(tuple((c.name, c.type) for c in columns)) if wrapped else columns[0].type
    load = json_exact.parse if json_read.uses_decimal(kind) else _loads
    own = schema_of_row([(c.name, c.type) for c in columns]) if wrapped else _nullable(kind)
    known: dict[int, json_read.Reader] = {}

    def learn(number: int) -> json_read.Reader:
        entry = registry.by_id(number)
        if entry is None:
            raise ValueError(f"Error retrieving JSON value schema for id {number}")
        schema = json_schema.parse_schema(entry.schema)
        adapt = connect.make_adapter(schema, kind, json_schema.opener)

        def exact(data: bytes | None) -> tuple[Any, ...] | None:
            value = adapt(load(data or b""))
            if not wrapped:
                return (value,)
            return None if value is None else tuple(value.values())

        same = json.loads(entry.schema) == own
        known[number] = found = (
            json_read.make_reader(columns, wrapped=wrapped, where=topic, exact=exact) if same else exact
        )
        return found

    def read(data: bytes | None) -> tuple[Any, ...] | None:
        if data is None:
            return None
        try:
            number, payload = split_prefix(data)
            return (known.get(number) or learn(number))(payload)
        except (ValueError, ArithmeticError, RecursionError) as error:
            raise SerdeError(f"Error deserializing message from topic: {topic}", (str(error),)) from None

    return read


def _loads(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except ValueError:
        return json_exact.parse(data)


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
    fill: Fill | None = None
    if entry is not None and wrapped:
        columns, fill = _by_schema(json_schema.parse_schema(entry.schema), columns)
    if entry is None:
        schema = schema_of_row([(c.name, c.type) for c in columns]) if wrapped else _nullable(columns[0].type)
        entry = registry.register(subject_name(topic, is_key=is_key), "JSON", json.dumps(schema))
    prefix = PREFIX.pack(0, entry.id)
    write_json = json_write.make_writer(columns, wrapped=wrapped, topic=topic)

    def write(row: Sequence[Any] | None) -> bytes | None:
        written = write_json(row if row is None or fill is None else fill(row))
        return None if written is None else prefix + written

    def checked(row: Sequence[Any] | None) -> bytes | None:
        try:
            return write(row)
        except ValueError as error:
            raise SerdeError(f"Error serializing message to topic: {topic}. {error}", (str(error),)) from None

    return write if fill is None else checked


def _by_schema(schema: connect.Schema, columns: Sequence[Column]) -> tuple[Sequence[Column], Fill]:
    """The columns of a registered object schema, and what makes their values of a row of the given columns.

    What the row lacks has the schema's default, or is null, or is left out where the schema demands it.
    """
    places = {c.name: i for i, c in enumerate(columns)}
    wanted = list[Column]()
    parts = list[tuple[int | None, Any, bool]]()
    for name, child in schema.fields:
        place = places.get(name)
        if place is not None:
            wanted.append(columns[place])
        elif child.optional or child.default is not None:
            wanted.append(Column(name, connect.sql_type(child)))
        else:
            continue
        default = connect.make_adapter(child, wanted[-1].type, json_schema.opener)(json_exact.MISSING)
        parts.append((place, default, place is not None and not child.optional and default is None))

    def fill(row: Sequence[Any]) -> Sequence[Any]:
        values = [
            default if place is None or row[place] is None else row[place] for place, default, _ in parts
        ]
        for value, (_, _, demanded), column in zip(values, parts, wanted, strict=True):
            if demanded and value is None:
                raise ValueError(f'Invalid value: null used for required field: "{column.name}"')
        return values

    return wanted, fill
