"""AVRO, JSON_SR and PROTOBUF_NOSR: known bytes, schemas as ksqlDB registers them, coercions, and the registry."""

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
from ksqlkit.engine.serde import (
    SchemaRegistry,
    SerdeError,
    connect,
    infer_columns,
    make_deserializer,
    make_serializer,
)
from ksqlkit.engine.serde import protobuf_wire as wire
from ksqlkit.engine.serde.avro_codec import make_decoder, make_encoder
from ksqlkit.engine.serde.avro_schema import connect_schema, parse_schema, schema_of_row
from ksqlkit.engine.serde.proto_schema import parse_proto, write_proto
from ksqlkit.engine.serde.protobuf_sr import choose_message, infer_struct
from ksqlkit.errors import StatementError
from tests.support.serde_cases import columns_of

ALL = (
    "A INT, B BIGINT, C DOUBLE, D STRING, E BOOLEAN, F DECIMAL(6,2), G BYTES, H TIME, I DATE, J TIMESTAMP, "
    "K ARRAY<INT>, L MAP<STRING, BIGINT>, M STRUCT<X INT, Y ARRAY<STRUCT<Z STRING>>>"
)
ROW = (
    -1, 1 << 40, 1.5, "é", True, Decimal("-12.30"), b"\x00\xff", 3_723_004, -1, -1, [1, -2, 300],
    {"k": 1, "n": -1}, {"X": 7, "Y": [{"Z": "z"}]},
)  # fmt: skip
FORMATS = ["AVRO", "JSON_SR", "PROTOBUF", "PROTOBUF_NOSR"]


def both(name: str, columns: str, *, is_key: bool = False, **options: str) -> tuple[Any, Any]:
    registry = SchemaRegistry()
    format = Format(name, tuple(options.items()))
    return tuple(
        make(format, columns_of(columns), is_key=is_key, topic="t", registry=registry)
        for make in (make_serializer, make_deserializer)
    )


@pytest.mark.parametrize("name", FORMATS)
def test_every_type_comes_back(name: str) -> None:
    write, read = both(name, ALL)
    assert read(write(ROW)) == ROW
    assert (write(None), read(None)) == (None, None)


@pytest.mark.parametrize("name", ["AVRO", "JSON_SR"])
def test_nulls_come_back(name: str) -> None:
    write, read = both(name, ALL)
    assert read(write((None,) * 13)) == (None,) * 13
    nested = (*ROW[:10], [1, None], {"k": None}, {"X": None, "Y": [None, {"Z": None}]})
    assert read(write(nested)) == nested


def test_nulls_in_protobuf_become_defaults() -> None:
    write, read = both("PROTOBUF_NOSR", ALL)
    assert write((None,) * 13) == b""
    assert read(b"") == (0, 0, 0.0, "", False, None, b"", None, None, None, [], {}, None)


@pytest.mark.parametrize("name", ["PROTOBUF", "PROTOBUF_NOSR"])
@pytest.mark.parametrize("kind", ["OPTIONAL", "WRAPPER"])
def test_nulls_in_protobuf_can_be_kept(kind: str, name: str) -> None:
    write, read = both(name, "A INT, B STRING, C BOOLEAN", NULLABLE_REPRESENTATION=kind)
    for row in [(None, None, None), (0, "", False), (5, "x", True)]:
        assert read(write(row)) == row


def test_known_protobuf_bytes() -> None:
    write, read = both("PROTOBUF_NOSR", "A INT, B STRING, C ARRAY<INT>, D MAP<STRING, INT>")
    data = bytes.fromhex("089601 120774657374696e67 1a06038e029ea705 22050a016b1001")
    assert write((150, "testing", [3, 270, 86942], {"k": 1})) == data
    assert read(data) == (150, "testing", [3, 270, 86942], {"k": 1})
    assert read(bytes.fromhex("1803 188e02 2a0178 089601")) == (
        150,
        "",
        [3, 270],
        {},
    )  # unpacked, unknown, reordered
    assert write((-1, None, None, None)) == bytes.fromhex("08ffffffffffffffffff01")


@pytest.mark.parametrize("data", ["08", "0a05616263", "0b", "00", "1204ffffffff18"])
def test_broken_protobuf(data: str) -> None:
    _, read = both("PROTOBUF_NOSR", "A INT, B STRING")
    with pytest.raises(SerdeError, match="Error deserializing message from topic: t") as caught:
        read(bytes.fromhex(data))
    assert caught.value.causes


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_varints(value: int) -> None:
    assert wire.INT64.read(wire.read_varint(wire.varint(value), 0)[0]) == value


def test_known_avro_bytes() -> None:
    schema = parse_schema(
        '{"type":"record","name":"test","fields":[{"name":"a","type":"long"},{"name":"b","type":"string"}]}'
    )
    assert make_encoder(schema)({"a": 27, "b": "foo"}) == bytes.fromhex(
        "3606666f6f"
    )  # the specification's example
    assert make_decoder(schema)(bytes.fromhex("3606666f6f"), 0) == ({"a": 27, "b": "foo"}, 5)
    blocks = parse_schema('{"type":"array","items":"long"}')
    assert make_encoder(blocks)([3, 27]) == bytes.fromhex("04063600")
    assert make_decoder(blocks)(bytes.fromhex("0304063600"), 0) == ([3, 27], 5)  # with a block size


def test_avro_records_of_other_writers() -> None:
    registry = SchemaRegistry()
    schema = {
        "type": "record", "name": "R", "namespace": "n",
        "fields": [
            {"name": "a", "type": "int"},
            {"name": "B", "type": ["null", "long"]},
            {"name": "suit", "type": {"type": "enum", "name": "Suit", "symbols": ["CLUBS", "HEARTS"]}},
            {"name": "m", "type": {"type": "map", "values": "float"}},
            {"name": "r", "type": ["null", {"type": "record", "name": "In", "fields": [
                {"name": "x", "type": "boolean"}
            ]}]},
            {"name": "again", "type": ["null", "In"]},
            {"name": "extra", "type": {"type": "fixed", "name": "F", "size": 2}},
        ],
    }  # fmt: skip
    entry = registry.register("t-value", "AVRO", json.dumps(schema))
    value = {
        "a": 1,
        "B": None,
        "suit": "HEARTS",
        "m": {"k": 0.5},
        "r": {"x": True},
        "again": None,
        "extra": b"ab",
    }
    data = bytes([0, 0, 0, 0, entry.id]) + make_encoder(parse_schema(entry.schema))(value)
    columns = columns_of(
        "A BIGINT, B BIGINT, SUIT STRING, M MAP<STRING, DOUBLE>, R STRUCT<X STRING>, NEW INT, EXTRA BYTES"
    )
    read = make_deserializer(Format("AVRO"), columns, is_key=False, topic="t", registry=registry)
    assert read(data) == (1, None, "HEARTS", {"k": 0.5}, {"X": "true"}, None, b"ab")
    bad = make_deserializer(
        Format("AVRO"), columns_of("A BOOLEAN"), is_key=False, topic="t", registry=registry
    )
    with pytest.raises(SerdeError) as caught:
        bad(data)
    assert caught.value.causes == ("Cannot deserialize type int32 as type boolean for path: ->A",)
    for broken in (b"{}", b"\x00\x00\x00\x00\x63", data[:7]):
        with pytest.raises(SerdeError, match="Error deserializing message from topic: t"):
            read(broken)


FOREIGN = """
syntax = "proto3"; // a comment
package shop.v1;
import "event.proto"; import 'google/protobuf/wrappers.proto';
message Unused { int32 x = 1; }
message Order {
  enum Suit { option allow_alias = true; SPADES = 0; HEARTS = 1 [deprecated = true]; }
  message Line { sint32 count = 1; float price = 2; map<string, sint64> tags = 7; }
  reserved 90, 91;
  uint32 id = 1; /* unsigned */
  Suit suit = 2;
  repeated Line lines = 3;
  google.protobuf.Int64Value total = 4;
  shop.v1.Event event = 5;
  oneof pick { string left = 6; fixed32 right = 7; }
  optional bool flag = 8;
  repeated fixed64 marks = 9;
}
"""
EVENT = """
syntax = "proto3";
message Event {
  int64 at = 1;
  confluent.type.Decimal cost = 2 [(confluent.field_meta) = {
    params: [{key: "precision", value: "5"}, {key: "scale", value: "2"}]
  }];
}
"""


def test_protobuf_records_of_other_writers() -> None:
    registry = SchemaRegistry()
    entry = registry.register("t-value", "PROTOBUF", FOREIGN, references=(EVENT,))
    columns = columns_of(
        "PICK_0 STRUCT<`LEFT` STRING, `RIGHT` BIGINT>, ID BIGINT, SUIT STRING, "
        "LINES ARRAY<STRUCT<COUNT INT, PRICE DOUBLE, TAGS MAP<STRING, BIGINT>>>, "
        "TOTAL STRING, "
        "EVENT STRUCT<`AT` BIGINT, COST DECIMAL(5,2)>, FLAG BOOLEAN, MARKS ARRAY<BIGINT>, NEW INT"
    )
    inferred = infer_columns(
        Format("PROTOBUF", (("SCHEMA_FULL_NAME", "Order"),)), topic="t", is_key=False, registry=registry
    )
    assert inferred == tuple(Column(c.name, T.BIGINT) if c.name == "TOTAL" else c for c in columns[:-1])
    body = (
        "08ffffffff0f 1001 1a10 0803 150000003f 3a05 0a0161 1003 3a00 2202 0807 2a02 0809 3d05000000"
        "4a10 0100000000000000 0200000000000000"
    )
    data = bytes([0, 0, 0, 0, entry.id, 2, 2]) + bytes.fromhex(body)
    read = make_deserializer(Format("PROTOBUF"), columns, is_key=False, topic="t", registry=registry)
    assert read(data) == (
        {"LEFT": None, "RIGHT": 5}, 0xFFFFFFFF, "HEARTS", [{"COUNT": -2, "PRICE": 0.5, "TAGS": {"a": -2, "": 0}}], "7",
        {"AT": 9, "COST": None}, None, [1, 2], None,
    )  # fmt: skip
    wrong = make_deserializer(Format("PROTOBUF"), columns_of("ID BOOLEAN"), is_key=False, registry=registry)
    with pytest.raises(SerdeError) as caught:
        wrong(data)
    assert caught.value.causes == ("Cannot deserialize type int64 as type boolean for path: ->ID",)


@pytest.mark.parametrize("text", ["message A {", "message A { int32 x; }", "message A { int32 x = y; }"])
def test_broken_proto_schemas(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a field|ends too early"):
        parse_proto(text)


def test_a_written_proto_schema_means_what_it_was_made_of() -> None:
    fields = tuple((c.name, c.type) for c in columns_of(ALL))
    for nullable in ("", "OPTIONAL", "WRAPPER"):
        text = write_proto(fields, nullable=nullable)
        inferred = infer_struct(choose_message(parse_proto(text), [0])).field
        assert [inferred(n) for n, t in fields if n != "L"] == [t for n, t in fields if n != "L"]
    assert write_proto([("I", T.INTEGER), ("S", T.STRING)]) == (
        'syntax = "proto3";\n\nmessage ConnectDefault1 {\n  int32 I = 1;\n  string S = 2;\n}\n'
    )


def test_schemas_as_ksqldb_registers_them() -> None:
    registry = SchemaRegistry()
    for name in ("AVRO", "JSON_SR"):
        make_serializer(Format(name), columns_of("FOO INT"), is_key=False, topic=name, registry=registry)
    avro, text = registry.latest("AVRO-value"), registry.latest("JSON_SR-value")
    assert avro
    assert text
    full = "io.confluent.ksql.avro_schemas.KsqlDataSourceSchema"
    assert json.loads(avro.schema) == {
        "type": "record", "name": "KsqlDataSourceSchema", "namespace": "io.confluent.ksql.avro_schemas",
        "fields": [{"name": "FOO", "type": ["null", "int"], "default": None}], "connect.name": full,
    }  # fmt: skip
    assert json.loads(text.schema) == {
        "type": "object",
        "properties": {
            "FOO": {
                "connect.index": 0,
                "oneOf": [{"type": "null"}, {"type": "integer", "connect.type": "int32"}],
            }
        },
    }


def test_inferred_types_are_those_written() -> None:
    columns = columns_of(ALL)
    node = parse_schema(json.dumps(schema_of_row([(c.name, c.type) for c in columns])))
    assert connect.sql_type(connect_schema(node)) == T.Struct(tuple((c.name, c.type) for c in columns))


@pytest.mark.parametrize("name", ["AVRO", "JSON_SR"])
def test_columns_come_back_from_the_registry(name: str) -> None:
    registry = SchemaRegistry()
    columns = columns_of(ALL + ", `low` STRUCT<`x` INT>")
    make_serializer(Format(name), columns, is_key=False, topic="t", registry=registry)
    found = infer_columns(Format(name), topic="t", is_key=False, registry=registry)
    assert found == (*columns[:-1], *columns_of("LOW STRUCT<X INT>"))
    number = str(registry.register("t-value", "AVRO", '"int"').id - 1)
    by_id = Format(name, (("SCHEMA_ID", number),))
    assert infer_columns(by_id, topic="other", is_key=False, registry=registry) == columns


def test_columns_of_keys_and_single_values() -> None:
    registry = SchemaRegistry()
    registry.register("t-key", "AVRO", '{"type":"record","name":"K","fields":[{"name":"f1","type":"int"}]}')
    registry.register("t-value", "AVRO", '"int"')
    key = infer_columns(Format("AVRO"), topic="t", is_key=True, registry=registry)
    assert key == columns_of("ROWKEY STRUCT<F1 INT>")
    value = infer_columns(Format("AVRO", (), False), topic="t", is_key=False, registry=registry)
    assert value == columns_of("ROWVAL INT")


@pytest.mark.parametrize(
    ("format", "topic", "message"),
    [
        (Format("AVRO"), "gone", "Schema for message values on topic 'gone' does not exist in the Schema Registry."),
        (Format("JSON_SR"), "t", "is not in the expected format. You may want to set VALUE_FORMAT to 'AVRO'."),
        (Format("AVRO"), "t", "Reason: Schema returned from schema registry is anonymous type."),
    ],
)  # fmt: skip
def test_schemas_that_do_not_do(format: Format, topic: str, message: str) -> None:
    registry = SchemaRegistry()
    registry.register("t-value", "AVRO", '"int"')
    with pytest.raises(StatementError) as caught:
        infer_columns(format, topic=topic, is_key=False, registry=registry)
    assert message in caught.value.message


@pytest.mark.parametrize("name", ["AVRO", "JSON_SR", "PROTOBUF_NOSR"])
def test_single_keys_have_no_record(name: str) -> None:
    write, read = both(name, "K STRING", is_key=True)
    assert read(write(("x",))) == ("x",)
    assert write((None,)) is None


@settings(deadline=None)
@given(st.sampled_from(FORMATS), st.binary(max_size=12))
def test_any_bytes_fail_cleanly(name: str, data: bytes) -> None:
    write, read = both(name, "A INT, B ARRAY<STRING>, C MAP<STRING, DOUBLE>")
    write(None)
    for record in (data, b"\x00\x00\x00\x00\x01" + data):
        try:
            read(record)
        except SerdeError:
            continue


def test_registry() -> None:
    registry = SchemaRegistry()
    first = registry.register("a", "AVRO", '"int"')
    assert registry.register("a", "AVRO", ' "int" ') == first
    assert registry.register("b", "AVRO", '"int"').id == first.id == 1
    second = registry.register("a", "AVRO", '"long"', id=100)
    assert (second.id, second.version) == (100, 2)
    assert registry.latest("a") == second
    assert registry.latest("c") is None
    assert registry.subjects() == ["a", "b"]
    assert registry.delete_subject("a") == [1, 2]
    assert registry.by_id(100) == second
    copy = SchemaRegistry(registry.entries())
    assert copy.by_id(1) is not None
    assert copy.register("x", "AVRO", '"string"').id == 101


def test_without_a_registry() -> None:
    with pytest.raises(StatementError, match="needs a Schema Registry") as caught:
        make_serializer(Format("AVRO"), columns_of("A INT"), is_key=False)
    assert (caught.value.error_code, caught.value.status) == (42801, 428)
