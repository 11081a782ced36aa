"""Columns from a schema in the registry, for sources declared without columns."""

from __future__ import annotations

import json
from typing import Any, Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.catalog import Format
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde import avro_schema, protobuf_sr
from ksqlkit.engine.serde.proto_schema import Message, parse_proto
from ksqlkit.engine.serde.registry import Registered, SchemaRegistry, subject_name
from ksqlkit.errors import StatementError

_KINDS: Final = {"AVRO": "AVRO", "JSON_SR": "JSON", "PROTOBUF": "PROTOBUF"}
_FORMATS: Final = {kind: name for name, kind in _KINDS.items()}
_SMALL: Final = ("int8", "int16", "int32")
_LOGICAL: Final[dict[str, T.SqlType]] = {"Time": T.TIME, "Date": T.DATE, "Timestamp": T.TIMESTAMP}


def infer_columns(
    format: Format, *, topic: str, is_key: bool, registry: SchemaRegistry
) -> tuple[Column, ...]:
    """The columns of a topic's keys or values by its newest schema, or by the format's SCHEMA_ID.

    A schema that is not a record (or stands for a single key) is one column, ROWKEY or ROWVAL. Names become
    upper case, unless a schema id is given. Raises StatementError with ksqlDB's messages.
    """
    options = dict(format.options)
    number = options.get("SCHEMA_ID")
    subject = subject_name(topic, is_key=is_key)
    entry = registry.by_id(int(number)) if number else registry.latest(subject)
    side = "key" if is_key else "value"
    if entry is None:
        raise _not_found(topic, subject, number, side)
    if entry.kind != _KINDS[format.name]:
        raise StatementError(
            f"{side.title()} schema is not in the expected format. You may want to set {side.upper()}_FORMAT to "
            f"'{_FORMATS[entry.kind]}'.\ntopic: {topic}\nexpected format: {_KINDS[format.name]}\n"
            f"actual format from Schema Registry: {entry.kind}"
        )
    single = format.name != "PROTOBUF" and (is_key or format.wrap is False)
    try:
        kind = _sql_type(entry, upper=number is None, name=options.get("SCHEMA_FULL_NAME"))
        if single or not isinstance(kind, T.Struct):
            if not single:
                raise ValueError(
                    "Schema returned from schema registry is anonymous type. To use this schema with ksqlDB, "
                    "set 'WRAP_SINGLE_VALUE=false' in the WITH clause properties."
                )
            return (Column("ROWKEY" if is_key else "ROWVAL", kind),)
        if not kind.fields:
            raise ValueError("Schema does not include any columns with types that ksqlDB supports.")
    except LookupError:
        raise _not_found(topic, subject, number, side) from None
    except ValueError as error:
        raise StatementError(
            f"Unable to verify if the {side} schema for topic: {topic} is compatible with ksqlDB.\n"
            f"Reason: {error}\nSchema:{entry.schema}"
        ) from None
    if is_key and len(kind.fields) > 1:
        raise StatementError(
            f"The key schema for topic: {topic} contains multiple columns, which is not supported by ksqlDB "
            f"at this time.\nSchema:{entry.schema}"
        )
    return tuple(Column(name, field) for name, field in kind.fields)


def _not_found(topic: str, subject: str, number: str | None, side: str) -> StatementError:
    id_line = f"Schema Id: {number}\n" if number else ""
    return StatementError(
        f"Schema for message {side}s on topic '{topic}' does not exist in the Schema Registry.\n"
        f"Subject: {subject}\n{id_line}Possible causes include:\n"
        "- The topic itself does not exist\n\t-> Use SHOW TOPICS; to check\n"
        "- Messages on the topic are not serialized using a format Schema Registry supports\n"
        f"\t-> Use PRINT '{topic}' FROM BEGINNING; to verify"
    )


def _sql_type(entry: Registered, *, upper: bool, name: str | None) -> T.SqlType:
    """The type of a schema. Raises LookupError for a message name that it lacks, ValueError for types
    unknown."""
    if entry.kind == "AVRO":
        kind = avro_schema.sql_type(avro_schema.parse_schema(entry.schema))
    elif entry.kind == "JSON":
        kind = _json_type(json.loads(entry.schema))
    else:
        root = parse_proto(entry.schema, entry.references)
        message = root.find(name) if name else protobuf_sr.choose_message(root, [0])
        if not isinstance(message, Message):
            raise LookupError(name)
        kind = protobuf_sr.infer_struct(message)
    return _in_upper_case(kind) if upper else kind


def _in_upper_case(kind: T.SqlType) -> T.SqlType:
    """The type with names of struct fields in upper case."""
    match kind:
        case T.Struct(fields):
            return T.Struct(tuple((name.upper(), _in_upper_case(field)) for name, field in fields))
        case T.Array(item):
            return T.Array(_in_upper_case(item))
        case T.Map(key, value):
            return T.Map(key, _in_upper_case(value))
    return kind


def _json_type(schema: Any) -> T.SqlType:
    """The SQL type of a JSON schema."""
    choices = schema.get("oneOf") or schema.get("anyOf")
    if choices:
        rest = [c for c in choices if c.get("type") != "null"]
        if len(rest) == 1:
            return _json_type(rest[0])
        raise ValueError("Unsupported type: union")
    kind, connect = schema.get("type"), schema.get("connect.type", "")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), None)
    title = str(schema.get("title", "")).removeprefix("org.apache.kafka.connect.data.")
    if title in _LOGICAL:
        return _LOGICAL[title]
    if title == "Decimal":
        options = schema.get("connect.parameters", {})
        return T.Decimal(int(options.get("connect.decimal.precision", 64)), int(options.get("scale", 0)))
    if kind == "integer":
        return T.INTEGER if connect in _SMALL else T.BIGINT
    if kind == "string":
        return T.BYTES if connect == "bytes" else T.STRING
    if kind == "array":
        return T.Array(_json_type(schema["items"]))
    if kind == "object" and connect == "map":
        return T.Map(T.STRING, _json_type(schema["additionalProperties"]))
    if kind == "object":
        fields = sorted(schema.get("properties", {}).items(), key=lambda f: f[1].get("connect.index", 0))
        return T.Struct(tuple((name, _json_type(field)) for name, field in fields))
    plain = {"boolean": T.BOOLEAN, "number": T.DOUBLE}.get(str(kind))
    if plain is None:
        raise ValueError(f"Unsupported type: {kind}")
    return plain
