"""The AVRO format: magic byte, schema id, and the value in Avro's binary form by the schema of that id."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from typing import Any

from ksqlkit.dialect import types as T
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde import avro_read, avro_write, connect
from ksqlkit.engine.serde.avro_codec import make_decoder, make_encoder
from ksqlkit.engine.serde.avro_schema import (
    DEFAULT_NAME,
    Node,
    connect_schema,
    parse_schema,
    schema_of_row,
    schema_of_type,
)
from ksqlkit.engine.serde.errors import SerdeError
from ksqlkit.engine.serde.registry import PREFIX, SchemaRegistry, by_prefix, split_prefix, subject_name

Adapter = Callable[[Any], Any]


def make_reader(
    columns: Sequence[Column], *, wrapped: bool, registry: SchemaRegistry, topic: str
) -> Callable[[bytes | None], tuple[Any, ...] | None]:
    """A reader of records written by any schema of the registry."""
    kind: T.SqlType = T.Struct(tuple((c.name, c.type) for c in columns)) if wrapped else columns[0].type

    def failed(error: Exception) -> SerdeError:
        return SerdeError(f"Error deserializing message from topic: {topic}", (str(error),))

    def learn(data: bytes) -> avro_read.Reader:
        try:
            number, _ = split_prefix(data)
            entry = registry.by_id(number)
            if entry is None:
                raise ValueError(f"Error retrieving Avro value schema for id {number}")
            node = parse_schema(entry.schema)
            slow = plain_reader(node, kind, wrapped=wrapped, failed=failed)
        except (ValueError, ArithmeticError, RecursionError) as error:
            raise failed(error) from None
        return avro_read.make_reader(node, kind, wrapped=wrapped, slow=slow)

    return by_prefix(learn)


def plain_reader(
    node: Node, kind: T.SqlType, *, wrapped: bool, failed: Callable[[Exception], SerdeError]
) -> avro_read.Reader:
    """A reader of any record (prefix included) of one schema, without generated code. Raises ValueError."""
    adapt = connect.make_adapter(connect_schema(node), kind, _opener)
    decode = make_decoder(node, tagged=True)

    def read(data: bytes) -> tuple[Any, ...] | None:
        try:
            value = adapt(decode(data, PREFIX.size)[0])
        except (ValueError, ArithmeticError, RecursionError) as error:
            raise failed(error) from None
        if not wrapped:
            return (value,)
        return None if value is None else tuple(value.values())

    return read


def _opener(schema: connect.Schema) -> Adapter | None:
    """From Avro's generic data to Connect's."""
    node: Node = schema.source
    if schema.is_decimal:
        return lambda v: None if v is None else connect.unscaled(v, schema.scale)
    if node.type == "map":
        return lambda v: None if v is None else v.items()
    if schema.type == "map":
        return lambda v: None if v is None else [(e["key"], e["value"]) for e in v]
    if node.type == "union":
        names = {name: None for name, _ in schema.fields}
        return lambda v: None if v is None else {**names, v[0]: v[1]}
    return None


def make_writer(
    columns: Sequence[Column],
    *,
    wrapped: bool,
    name: str | None,
    registry: SchemaRegistry,
    topic: str,
    is_key: bool,
    number: int | None = None,
) -> Callable[[Sequence[Any] | None], bytes | None]:
    """A writer of records: by the schema of that number, or by the columns' one, which it registers under the topic's
    subject."""
    fields = [(c.name, c.type) for c in columns]
    full = name or DEFAULT_NAME
    entry = registry.by_id(number) if number is not None else None
    if entry is None:
        schema = schema_of_row(fields, full) if wrapped else schema_of_type(columns[0].type, full)
        entry = registry.register(subject_name(topic, is_key=is_key), "AVRO", json.dumps(schema))
    node, prefix = parse_schema(entry.schema), PREFIX.pack(0, entry.id)
    filled = None if number is None else fill
    slow = plain_writer(node, columns, wrapped=wrapped, filled=filled, prefix=prefix, topic=topic)
    return avro_write.make_writer(node, columns, wrapped=wrapped, filled=filled, prefix=prefix, slow=slow)


def plain_writer(
    node: Node,
    columns: Sequence[Column],
    *,
    wrapped: bool,
    filled: Callable[[Node, Any], Any] | None,
    prefix: bytes,
    topic: str,
) -> avro_write.Writer:
    """A writer of records without generated code; `filled` is `fill` where the schema is not the columns' own."""
    encode = make_encoder(node)
    names = [c.name.replace(".", "_") for c in columns]
    convert = [_generic(c.type) for c in columns]

    def write(row: Sequence[Any] | None) -> bytes | None:
        if row is None or (not wrapped and row[0] is None):
            return None
        try:
            values = [adapt(value) for adapt, value in zip(convert, row, strict=True)]
            value = dict(zip(names, values, strict=True)) if wrapped else values[0]
            return prefix + encode(value if filled is None else filled(node, value))
        except (TypeError, ValueError, AttributeError, KeyError, ArithmeticError, struct.error) as error:
            raise SerdeError(f"Error serializing message to topic: {topic}. {error}", (str(error),)) from None

    return write


def fill(node: Node, value: Any) -> Any:
    """The value with the schema's defaults for what is null or missing. Raises ValueError for what has none."""
    if (inner := node.optional) is not None:
        return None if value is None else fill(inner, value)
    if value is None:
        raise ValueError("null used for a required field")
    if node.type == "record":
        given = {name: value.get(name) for name, _ in node.fields}
        full = {name: node.defaults.get(name) if v is None else v for name, v in given.items()}
        return {name: fill(child, full[name]) for name, child in node.fields}
    if node.type == "array":
        return [fill(node.items[0], item) for item in value]
    if node.type == "map":
        return {entry["key"]: fill(node.items[0], entry["value"]) for entry in value}
    return value


def _optional(adapt: Adapter) -> Adapter:
    return lambda value: None if value is None else adapt(value)


def _generic(kind: T.SqlType) -> Adapter:
    """A function from a value of the SQL type to the generic value its schema has."""
    item: Adapter
    match kind:
        case T.Decimal(_, scale):
            return _optional(lambda v: avro_write.unscaled(v, scale))
        case T.Array(element):
            item = _generic(element)
            return _optional(lambda v: [item(e) for e in v])
        case T.Map(_, element):
            item = _generic(element)
            return _optional(lambda v: [{"key": k, "value": item(e)} for k, e in v.items()])
        case T.Struct(fields):
            parts = [(name, name.replace(".", "_"), _generic(field)) for name, field in fields]
            return _optional(lambda v: {avro: adapt(v[name]) for name, avro, adapt in parts})
    return lambda v: v
