"""AVRO and JSON_SR records of other writers, read by the schema that their id names, as Kafka Connect does."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ksqlkit.dialect import types as T
from ksqlkit.engine.catalog import Format
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde import SchemaRegistry, SerdeError, infer_columns, make_deserializer, make_serializer
from ksqlkit.engine.serde.avro_codec import make_encoder
from ksqlkit.engine.serde.avro_schema import parse_schema
from ksqlkit.errors import StatementError
from tests.support.serde_cases import columns_of

INT: dict[str, Any] = {"type": "integer", "connect.type": "int32"}
LOGICAL = "org.apache.kafka.connect.data."


def json_read(schema: Any, columns: str, value: Any, *, wrap: bool | None = None) -> Any:
    registry = SchemaRegistry()
    entry = registry.register("t-value", "JSON", json.dumps(schema))
    read = make_deserializer(
        Format("JSON_SR", wrap=wrap), columns_of(columns), is_key=False, topic="t", registry=registry
    )
    return read(bytes([0, 0, 0, 0, entry.id]) + json.dumps(value).encode())


def obj(**properties: Any) -> Any:
    return {"type": "object", "properties": properties}


def inferred(kind: Any, schema: Any, **options: str) -> dict[str, T.SqlType]:
    registry = SchemaRegistry()
    registry.register("t-value", kind, schema if isinstance(schema, str) else json.dumps(schema))
    name = {"JSON": "JSON_SR"}.get(kind, kind)
    found = infer_columns(Format(name, tuple(options.items())), topic="t", is_key=False, registry=registry)
    return {c.name: c.type for c in found}


# (schema, columns, value, row)
JSON_RECORDS: list[tuple[Any, str, Any, Any]] = [
    # names are the schema's; columns find them exactly or in upper case
    (obj(a={"type": "string"}), "A STRING, B INT", {"a": "x", "A": "y", "b": 1}, ("x", None)),
    # what has another type than the schema says is 0, false or null
    (obj(A={"type": "string"}), "A STRING", {"A": 10}, (None,)),
    (obj(A={"type": "integer"}), "A BIGINT", {"A": "10"}, (0,)),
    (obj(A={"type": "boolean"}), "A BOOLEAN", {"A": "true"}, (False,)),
    (obj(A=INT), "A INT", {"A": 1.9}, (1,)),
    (obj(A=INT), "A INT", {"A": 1 << 32 | 7}, (7,)),
    # numbers and booleans are text where the column is
    (obj(A={"type": "integer"}, B={"type": "number"}, C={"type": "boolean"}), "A STRING, B STRING, C STRING",
     {"A": 7, "B": 1e10, "C": True}, ("7", "1.0E10", "true")),
    (obj(A={"type": "number", "connect.type": "float32"}), "A STRING", {"A": 1.1}, ("1.1",)),
    # narrower integers widen
    (obj(A=INT), "A BIGINT", {"A": 5}, (5,)),
    # defaults and what is missing
    (obj(A={"type": "integer", "default": 3}, B={"type": "integer"}), "A BIGINT, B BIGINT", {}, (3, None)),
    (obj(A={"oneOf": [{"type": "null"}, INT]}), "A INT", {"A": None}, (None,)),
    (obj(A={"type": ["null", "string"]}), "A STRING", {"A": None}, (None,)),
    # logical types
    (obj(A={"type": "integer", "title": LOGICAL + "Date", "connect.type": "int32"},
         B={"type": "integer", "title": LOGICAL + "Timestamp", "connect.type": "int64"}),
     "A DATE, B TIMESTAMP", {"A": 1, "B": 2}, (1, 2)),
    (obj(A={"type": "integer", "title": LOGICAL + "Timestamp"}), "A BIGINT", {"A": 2}, (2,)),
    (obj(A={"type": "number", "title": LOGICAL + "Decimal", "connect.type": "bytes",
            "connect.parameters": {"scale": "2"}}), "A DECIMAL(4,2)", {"A": 1.5}, (Decimal("1.50"),)),
    (obj(A={"type": "number", "title": LOGICAL + "Decimal", "connect.type": "bytes",
            "connect.parameters": {"scale": "2"}}), "A DECIMAL(4,2)", {"A": "AJY="}, (Decimal("1.50"),)),
    (obj(A={"type": "string", "connect.type": "bytes"}), "A BYTES", {"A": "AAE="}, (b"\x00\x01",)),
    # maps, also those with keys that are no text
    (obj(A={"type": "object", "connect.type": "map", "additionalProperties": INT}), "A MAP<STRING, INT>",
     {"A": {"k": 1}}, ({"k": 1},)),
    (obj(A={"type": "array", "connect.type": "map", "items": obj(key=INT, value={"type": "string"})}),
     "A MAP<STRING, STRING>", {"A": [{"key": 1, "value": "x"}]}, ({"1": "x"},)),
    # unions are structs with one field a type
    (obj(A={"oneOf": [{"type": "string"}, {"type": "integer"}]}),
     "A STRUCT<`io.confluent.connect.json.OneOf.field.0` STRING, `io.confluent.connect.json.OneOf.field.1` BIGINT>",
     {"A": 4}, ({"io.confluent.connect.json.OneOf.field.0": None, "io.confluent.connect.json.OneOf.field.1": 4},)),
    (obj(A={"anyOf": [obj(X=INT), obj(X=INT, Y=INT)]}),
     "A STRUCT<`io.confluent.connect.json.OneOf.field.1` STRUCT<Y INT>>", {"A": {"X": 1, "Y": 2}},
     ({"io.confluent.connect.json.OneOf.field.1": {"Y": 2}},)),
    # enumerations, references and joined schemas
    (obj(A={"enum": ["x", "y"]}, B={"type": "string", "enum": ["z"]}), "A STRING, B STRING", {"A": "x", "B": "z"},
     ("x", "z")),
    ({"definitions": {"in": obj(X=INT)}, **obj(A={"$ref": "#/definitions/in"})}, "A STRUCT<X INT>", {"A": {"X": 1}},
     ({"X": 1},)),
    (obj(A={"allOf": [obj(X=INT), obj(Y={"type": "string"})]}), "A STRUCT<X INT, Y STRING>", {"A": {"X": 1, "Y": "y"}},
     ({"X": 1, "Y": "y"},)),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "columns", "value", "row"), JSON_RECORDS)
def test_json_is_read_by_its_schema(schema: Any, columns: str, value: Any, row: Any) -> None:
    assert json_read(schema, columns, value) == row


@pytest.mark.parametrize(
    ("schema", "columns", "value", "reason"),
    [
        (obj(A=INT), "A INT", {"A": None}, "Invalid null value for required INT32 field"),
        (obj(A=INT), "A BOOLEAN", {}, "Cannot deserialize type int32 as type boolean for path: ->A"),
        (obj(A=INT), "A INT", [1], "Structs should be encoded as JSON objects, but found ARRAY"),
        (obj(A=obj(B=INT)), "A STRUCT<B STRING>", {"A": 1}, "Structs should be encoded as JSON objects"),
        (obj(A={"type": "integer", "title": LOGICAL + "Date", "connect.type": "int32"}), "A DATE", {"A": "x"},
         "Invalid type for Date, underlying representation should be integer but was STRING"),
        (obj(A={"oneOf": [{"type": "string"}, INT]}), "A STRUCT<X INT>", {"A": True}, "Did not find matching oneof"),
    ],
)  # fmt: skip
def test_json_that_its_schema_refuses(schema: Any, columns: str, value: Any, reason: str) -> None:
    with pytest.raises(SerdeError, match="Error deserializing message from topic: t") as caught:
        json_read(schema, columns, value)
    assert caught.value.causes[0].startswith(reason)


def test_single_json_values() -> None:
    assert json_read(INT, "A STRING", 10, wrap=False) == ("10",)
    with pytest.raises(SerdeError):
        json_read({"type": "string"}, "A INT", "x", wrap=False)


def test_columns_of_json_schemas() -> None:
    union = {"oneOf": [{"type": "null"}, {"type": "string"}, INT]}
    name = "IO.CONFLUENT.CONNECT.JSON.ONEOF.FIELD."
    found = inferred("JSON", obj(a=union, b={"type": "array", "items": INT}, c={"enum": ["x"]}))
    assert found == {
        "A": T.Struct(((name + "0", T.STRING), (name + "1", T.INTEGER))),
        "B": T.Array(T.INTEGER),
        "C": T.STRING,
    }
    node = {"$id": "n", **obj(value=INT, next={"$ref": "#"})}
    assert inferred("JSON", node) == {"VALUE": T.INTEGER}  # a column cannot contain itself
    assert inferred("JSON", obj(a=INT, b=INT), SCHEMA_ID="1") == {"a": T.INTEGER, "b": T.INTEGER}


def test_avro_unions_are_structs() -> None:
    record = {"type": "record", "name": "n.In", "fields": [{"name": "x", "type": "int"}]}
    schema = {
        "type": "record", "name": "R",
        "fields": [
            {"name": "u", "type": ["null", "int", "string", record]},
            {"name": "only", "type": ["int"]},
            {"name": "m", "type": {"type": "array", "items": {
                "type": "record", "name": "E", "connect.internal.type": "MapEntry",
                "fields": [{"name": "key", "type": "int"}, {"name": "value", "type": "float"}],
            }}},
            {"name": "next", "type": ["null", "R"]},
        ],
    }  # fmt: skip
    assert inferred("AVRO", schema) == {
        "U": T.Struct((("INT", T.INTEGER), ("STRING", T.STRING), ("IN", T.Struct((("X", T.INTEGER),))))),
        "ONLY": T.INTEGER,
        "M": T.Map(T.STRING, T.DOUBLE),
    }
    registry = SchemaRegistry()
    entry = registry.register("t-value", "AVRO", json.dumps(schema))
    columns = columns_of(
        "U STRUCT<`INT` BIGINT, `STRING` STRING, `IN` STRUCT<X STRING>>, M MAP<STRING, STRING>"
    )
    read = make_deserializer(Format("AVRO"), columns, is_key=False, topic="t", registry=registry)
    encode = make_encoder(parse_schema(entry.schema))
    prefix = bytes([0, 0, 0, 0, entry.id])
    rest = {"only": 1, "m": [{"key": 1, "value": 1.1}], "next": None}
    shown = {"1": "1.1"}
    assert read(prefix + encode({"u": 7, **rest})) == ({"INT": 7, "STRING": None, "IN": None}, shown)
    assert read(prefix + encode({"u": None, **rest})) == (None, shown)
    data = prefix + b"\x06\x10" + encode({"u": None, **rest})[1:]  # the branch of the record, with x = 8
    assert read(data) == ({"INT": None, "STRING": None, "IN": {"X": "8"}}, shown)


def test_protobuf_oneofs_and_messages_that_contain_themselves() -> None:
    text = "message M { M next = 1; int32 a = 2; oneof p { int32 x = 3; string y = 4; } oneof q { bool z = 5; } }"
    assert inferred("PROTOBUF", text) == {
        "P_0": T.Struct((("X", T.INTEGER), ("Y", T.STRING))),
        "Q_1": T.Struct((("Z", T.BOOLEAN),)),
        "A": T.INTEGER,
    }
    registry = SchemaRegistry()
    entry = registry.register("t-value", "PROTOBUF", text)
    columns = columns_of("A INT, P_0 STRUCT<X INT, Y STRING>, Q_1 STRUCT<Z BOOLEAN>")
    read = make_deserializer(Format("PROTOBUF"), columns, is_key=False, topic="t", registry=registry)
    prefix = bytes([0, 0, 0, 0, entry.id, 0])
    assert read(prefix + b"\x10\x01") == (1, None, None)
    assert read(prefix + b"\x18\x00") == (0, {"X": 0, "Y": None}, None)
    write = make_serializer(
        Format("PROTOBUF", (("SCHEMA_ID", str(entry.id)),)),
        columns,
        is_key=False,
        topic="u",
        registry=registry,
    )
    assert write((2, {"X": None, "Y": "y"}, {"Z": False})) == prefix + b"\x10\x02\x22\x01y\x28\x00"


def test_a_sink_with_the_id_of_a_json_schema() -> None:
    registry = SchemaRegistry()
    schema = obj(
        B={"connect.index": 0, "type": "string"},
        C={"connect.index": 1, "oneOf": [{"type": "null"}, INT]},
        D={"connect.index": 2, "type": "integer", "default": 9},
        E={"connect.index": 3, "type": "integer"},
    )
    entry = registry.register("other-value", "JSON", json.dumps(schema))
    write = make_serializer(
        Format("JSON_SR", (("SCHEMA_ID", str(entry.id)),)),
        (Column("B", T.STRING),),
        is_key=False,
        registry=registry,
    )
    assert write(("x",)) == bytes([0, 0, 0, 0, entry.id]) + b'{"B":"x","C":null,"D":9}'
    with pytest.raises(SerdeError, match='null used for required field: "B"'):
        write((None,))


def test_dots_in_avro_names() -> None:
    registry = SchemaRegistry()
    columns = columns_of("`a.b` INT, C STRUCT<`d.e` STRING>")
    write = make_serializer(Format("AVRO"), columns, is_key=False, topic="t", registry=registry)
    read = make_deserializer(Format("AVRO"), columns, is_key=False, topic="t", registry=registry)
    assert read(write((1, {"d.e": "x"}))) == (1, {"d.e": "x"})
    entry = registry.latest("t-value")
    assert entry is not None
    assert '"a_b"' in entry.schema


def test_a_null_that_a_protobuf_list_cannot_hold() -> None:
    write = make_serializer(
        Format("PROTOBUF_NOSR"), columns_of("A ARRAY<DECIMAL(4,2)>"), is_key=False, topic="t"
    )
    with pytest.raises(SerdeError, match="null in the repeated field A"):
        write(([None],))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("JSON", '{"$ref":"#"}'),
        ("JSON", '{"type":"object","properties":{"a":{"allOf":[]}}}'),
        ("JSON", '{"type":[]}'),
        ("JSON", "5"),
        ("AVRO", '{"type":"record","name":"R","fields":[{"name":"A","type":"R"}]}'),
        ("AVRO", '{"type":"fixed","name":"F","size":-1}'),
        ("AVRO", "null"),
        ("PROTOBUF", "message A { int32"),
    ],
)
def test_odd_schemas_are_errors_of_the_record_or_the_statement(kind: Any, text: str) -> None:
    registry = SchemaRegistry()
    entry = registry.register("t-value", kind, text)
    name = {"JSON": "JSON_SR"}.get(kind, kind)
    columns = columns_of("A INT")
    read = make_deserializer(Format(name), columns, is_key=False, topic="t", registry=registry)
    with pytest.raises(SerdeError):
        read(bytes([0, 0, 0, 0, entry.id, 0, 2, 2]))
    sink = Format(name, (("SCHEMA_ID", str(entry.id)),))
    with pytest.raises((StatementError, SerdeError)):
        make_serializer(sink, columns, is_key=False, topic="t", registry=registry)((1,))


def test_a_collection_of_more_items_than_a_record_can_hold() -> None:
    registry = SchemaRegistry()
    entry = registry.register("t-value", "AVRO", '{"type":"array","items":"null"}')
    read = make_deserializer(
        Format("AVRO", wrap=False), columns_of("A ARRAY<INT>"), is_key=False, topic="t", registry=registry
    )
    with pytest.raises(SerdeError):
        read(bytes([0, 0, 0, 0, entry.id]) + b"\xfe\xff\xff\xff\xff\xff\xff\xff\x01")


_VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(1 << 70), 1 << 70), st.floats(allow_nan=False), st.text(max_size=4),
        st.sampled_from(["AA==", 86_400_001, -1, 1.5, "12.5"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from([*"ABCDEFGHa", "k"]), inner, max_size=6)
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(_VALUES, st.sampled_from([True, False]))
def test_records_of_ksqldbs_own_schema_read_the_same_fast_and_slow(value: Any, wrapped: bool) -> None:
    columns = columns_of(
        "A INT, B STRING, C ARRAY<BIGINT>, D MAP<STRING, DOUBLE>, E STRUCT<A TIME, B DECIMAL(4,2)>, F BYTES, "
        "G BOOLEAN, H TIMESTAMP"
    )
    fmt = Format("JSON_SR", wrap=None if wrapped else False)
    if not wrapped:
        columns = (columns[4],)
    registry = SchemaRegistry()
    make_serializer(fmt, columns, is_key=False, topic="t", registry=registry)
    own = registry.latest("t-value")
    assert own is not None
    other = registry.register(
        "u-value", "JSON", json.dumps({**json.loads(own.schema), "description": "not its own"})
    )
    read = make_deserializer(fmt, columns, is_key=False, topic="t", registry=registry)

    def tried(number: int) -> Any:
        try:
            return read(bytes([0, 0, 0, 0, number]) + json.dumps(value).encode())
        except SerdeError as error:
            return error.causes

    assert tried(own.id) == tried(other.id)
