"""Columns from a schema in the registry, for sources declared without columns."""

from __future__ import annotations

from typing import Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.catalog import Format
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde import avro_schema, connect, json_schema, protobuf_sr
from ksqlkit.engine.serde.proto_schema import Message, message_names, parse_proto
from ksqlkit.engine.serde.registry import Registered, SchemaRegistry, subject_name
from ksqlkit.errors import StatementError

_KINDS: Final = {"AVRO": "AVRO", "JSON_SR": "JSON", "PROTOBUF": "PROTOBUF"}
_FORMATS: Final = {kind: name for name, kind in _KINDS.items()}


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
    entry = _entry(format, topic, is_key, registry)
    side = "key" if is_key else "value"
    place = ", ".join(
        part for part in (f"topic: {topic}" * bool(topic), f"schema id: {number}" * bool(number)) if part
    )
    if entry is None:
        raise _not_found(topic, subject, number, side)
    if entry.kind != _KINDS[format.name]:
        raise StatementError(
            f"{side.title()} schema is not in the expected format. You may want to set {side.upper()}_FORMAT to "
            f"'{_FORMATS[entry.kind]}'.\n{place}\nexpected format: {_KINDS[format.name]}\n"
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
            f"Unable to verify if the {side} schema for {place} is compatible with ksqlDB.\n"
            f"Reason: {error}\nSchema:{entry.schema}"
        ) from None
    if is_key and len(kind.fields) > 1:
        raise StatementError(
            f"The key schema for {place} contains multiple columns, which is not supported by ksqlDB "
            f"at this time.\nSchema:{entry.schema}"
        )
    return tuple(Column(name, field) for name, field in kind.fields)


def _entry(format: Format, topic: str, is_key: bool, registry: SchemaRegistry) -> Registered | None:
    number = dict(format.options).get("SCHEMA_ID")
    return registry.by_id(int(number)) if number else registry.latest(subject_name(topic, is_key=is_key))


def check_definitions(format: Format, *, topic: str, is_key: bool, registry: SchemaRegistry) -> None:
    """A PROTOBUF schema of several messages needs a name to say which one is meant. Raises StatementError."""
    if format.name != "PROTOBUF" or "SCHEMA_FULL_NAME" in dict(format.options):
        return
    entry = _entry(format, topic, is_key, registry)
    names = [] if entry is None or entry.kind != "PROTOBUF" else message_names(entry.schema)
    if len(names) > 1:
        side = "Key" if is_key else "Value"
        raise StatementError(
            f"{side} schema has multiple schema definitions. \n\n"
            + "\n".join(f"- {name}" for name in names)
            + f"\n\nPlease specify a schema full name in the WITH clause using {side.upper()}_SCHEMA_FULL_NAME"
        )


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
        kind = connect.sql_type(avro_schema.connect_schema(avro_schema.parse_schema(entry.schema)))
    elif entry.kind == "JSON":
        kind = connect.sql_type(json_schema.parse_schema(entry.schema))
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
            upper = tuple((name.upper(), _in_upper_case(field)) for name, field in fields)
            if len({name for name, _ in upper}) < len(upper):
                raise ValueError("Cannot create field because of field name duplication")
            return T.Struct(upper)
        case T.Array(item):
            return T.Array(_in_upper_case(item))
        case T.Map(key, value):
            return T.Map(key, _in_upper_case(value))
    return kind
