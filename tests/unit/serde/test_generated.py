"""Generated readers and writers: they are used for what ksqlDB writes, and follow a topic's schemas as they change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ksqlkit.engine.catalog import Format
from ksqlkit.engine.serde import SchemaRegistry, make_deserializer, make_serializer
from tests.support.serde_cases import columns_of

COLUMNS = columns_of(
    "A INT, B BIGINT, C DOUBLE, D STRING, E BOOLEAN, F DECIMAL(6,2), G BYTES, H TIME, I DATE, J TIMESTAMP, "
    "K ARRAY<INT>, L MAP<STRING, BIGINT>, M STRUCT<X INT, Y ARRAY<STRUCT<Z STRING>>>"
)


@pytest.mark.parametrize("name", ["AVRO", "PROTOBUF", "PROTOBUF_NOSR"])
def test_columns_of_all_types_have_generated_code(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from ksqlkit.engine.serde import avro_read, codegen, protobuf_read

    made = list[str]()
    for module in (avro_read, protobuf_read, codegen):  # the last for writers

        def spy(function: str, source: str, names: Any, compiled: Any = module.compile_function) -> Any:
            made.append(function)
            return compiled(function, source, names)

        monkeypatch.setattr(module, "compile_function", spy)
    registry = SchemaRegistry()
    topic = "generated"
    write = make_serializer(Format(name), COLUMNS, is_key=False, topic=topic, registry=registry)
    read = make_deserializer(Format(name), COLUMNS, is_key=False, topic=topic, registry=registry)
    read(write((1, *(None,) * (len(COLUMNS) - 1))))
    assert made == ["write", "read"] or made == ["read", "write"]


def test_schemas_of_a_topic_may_change_from_record_to_record() -> None:
    registry = SchemaRegistry()
    columns = columns_of("A BIGINT, B STRING")
    read = make_deserializer(Format("AVRO"), columns, is_key=False, topic="t", registry=registry)
    records = []
    for i in range(100):  # more than the readers that are kept
        fields: list[Any] = [{"name": "B", "type": "string"}, {"name": "A", "type": "int"}][
            :: 1 if i % 2 else -1
        ]
        fields.insert(1, {"name": f"skipped_{i}", "type": ["null", "double"]})
        schema = json.dumps({"type": "record", "name": "R", "fields": fields})
        body = b"\x02b\x00" + bytes([2 * (i % 64)]) if i % 2 else bytes([2 * (i % 64)]) + b"\x00\x02b"
        number = registry.register("t-value", "AVRO", schema).id
        records.append((number.to_bytes(5, "big") + body, (i % 64, "b")))
    for record, row in [*records, *records]:
        assert read(record) == row


def test_messages_of_a_protobuf_schema_may_change_from_record_to_record() -> None:
    registry = SchemaRegistry()
    text = "message M { int32 A = 1; message In { string B = 2; } } message N { int32 A = 3; string B = 4; }"
    prefix = registry.register("t-value", "PROTOBUF", text).id.to_bytes(5, "big")
    columns = columns_of("A INT, B STRING")
    read = make_deserializer(Format("PROTOBUF"), columns, is_key=False, topic="t", registry=registry)
    for _ in range(2):
        assert read(prefix + b"\x00\x08\x07") == (7, None)
        assert read(prefix + b"\x02\x02\x18\x05\x22\x01x") == (5, "x")
        assert read(prefix + b"\x04\x00\x00\x12\x01y") == (None, "y")
