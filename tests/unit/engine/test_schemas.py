"""The engine's own schema registry: inferred columns, ASSERT SCHEMA, restarts."""

from __future__ import annotations

import pytest

from ksqlkit.engine.clock import FixedClock
from ksqlkit.engine.engine import Engine
from ksqlkit.engine.log.memory import MemoryLog
from ksqlkit.engine.log.protocol import Log
from ksqlkit.engine.serde import SchemaRegistry
from ksqlkit.errors import StatementError
from tests.support.engines import NOW

SCHEMA = '{"type":"record","name":"R","fields":[{"name":"id","type":"long"},{"name":"note","type":["null","string"]}]}'


def opened(log: Log | None = None) -> Engine:
    return Engine(log, clock=FixedClock(NOW), properties={"ksql.schema.registry.url": "embedded"})


def with_registry() -> tuple[Engine, SchemaRegistry]:
    engine = opened()
    assert engine.context.schemas is not None
    return engine, engine.context.schemas


def columns(engine: Engine, name: str) -> str:
    source = engine.context.catalog.get(name)
    assert source is not None
    return str([(c.name, str(c.type)) for c in source.schema.value])


def test_columns_come_from_the_newest_schema_and_stay_after_a_restart() -> None:
    log = MemoryLog()
    engine = opened(log)
    schemas = engine.context.schemas
    assert schemas is not None
    engine.create_topic("t", 1)
    schemas.register("t-value", "AVRO", SCHEMA)
    engine.execute("CREATE STREAM S WITH (kafka_topic='t', value_format='AVRO');")
    before = columns(engine, "S")
    assert before == "[('ID', 'BIGINT'), ('NOTE', 'STRING')]"
    schemas.register("t-value", "AVRO", '{"type":"record","name":"R","fields":[{"name":"x","type":"int"}]}')
    again = opened(log)
    assert again.context.startup_errors == []
    assert columns(again, "S") == before


def test_a_schema_that_is_not_there() -> None:
    engine = opened()
    engine.create_topic("t", 1)
    with pytest.raises(StatementError, match="does not exist in the Schema Registry"):
        engine.execute("CREATE STREAM S WITH (kafka_topic='t', value_format='AVRO');")


def test_create_registers_drop_deletes_and_the_log_keeps_both() -> None:
    log = MemoryLog()
    engine = opened(log)
    engine.execute("CREATE STREAM S (K INT KEY, V INT) WITH (kafka_topic='t', partitions=1, format='AVRO');")
    engine.execute("ASSERT SCHEMA SUBJECT 't-value'; ASSERT SCHEMA SUBJECT 't-key';")
    again = opened(log)
    again.execute("INSERT INTO S VALUES (1, 2);")
    assert again.execute("ASSERT SCHEMA SUBJECT 't-value' ID 2;")[0].entity == "assert_schema"
    with pytest.raises(StatementError, match="Schema with subject name x does not exist"):
        again.execute("ASSERT SCHEMA SUBJECT 'x';")
    with pytest.raises(StatementError, match="Schema with id 2 exists"):
        again.execute("ASSERT NOT EXISTS SCHEMA ID 2;")
    again.execute("DROP STREAM S DELETE TOPIC;")
    last = opened(log)
    assert last.context.startup_errors == []
    last.execute("ASSERT NOT EXISTS SCHEMA SUBJECT 't-value';")


def test_trying_a_request_registers_nothing() -> None:
    engine = opened()
    with pytest.raises(StatementError):
        engine.execute(
            "CREATE STREAM S (V INT) WITH (kafka_topic='t', partitions=1, value_format='AVRO');"
            "CREATE STREAM BAD AS SELECT NOPE FROM S;"
        )
    engine.execute("ASSERT NOT EXISTS SCHEMA SUBJECT 't-value';")


def test_the_schema_a_sink_names_must_fit_and_gives_defaults() -> None:
    engine = opened()
    schemas = engine.context.schemas
    assert schemas is not None
    wide = '{"type":"record","name":"R","fields":[{"name":"V","type":"int"},{"name":"W","type":"int","default":7}]}'
    number = schemas.register("other", "AVRO", wide).id
    engine.execute("CREATE STREAM S (V INT) WITH (kafka_topic='t', partitions=1, value_format='JSON');")
    engine.execute(
        f"CREATE STREAM O WITH (value_format='AVRO', value_schema_id={number}) AS SELECT V FROM S;"
    )
    engine.execute("INSERT INTO S VALUES (3);")
    engine.run_until_idle()
    (record,) = engine.read("O")
    assert record.value == b"\0" + number.to_bytes(4, "big") + bytes([6, 14])
    with pytest.raises(StatementError, match="changed, missing or reordered"):
        engine.execute(
            f"CREATE STREAM P WITH (value_format='AVRO', value_schema_id={number}) AS SELECT V AS X FROM S;"
        )


def test_a_registry_that_is_no_url_is_refused() -> None:
    with pytest.raises(StatementError, match="Invalid value localhost:8081 for configuration"):
        Engine(properties={"ksql.schema.registry.url": "localhost:8081"})


def test_without_a_registry_registry_formats_are_refused() -> None:
    engine = Engine()
    with pytest.raises(StatementError, match="without configuring 'ksql") as error:
        engine.execute("CREATE STREAM S (V INT) WITH (kafka_topic='t', partitions=1, value_format='AVRO');")
    assert error.value.status == 428


PROTO = """syntax = "proto3";
message Other { string x = 1; }
message Row {
  string NAME = 7;
  Part PART = 3;
  repeated int32 L = 9;
  map<string, double> M = 2;
  message Part { int64 A = 4; google.protobuf.StringValue B = 5; }
}
"""


def test_a_protobuf_sink_is_written_by_the_schema_it_names() -> None:
    engine = opened()
    schemas = engine.context.schemas
    assert schemas is not None
    number = schemas.register("given", "PROTOBUF", PROTO).id
    engine.execute(
        "CREATE STREAM S (K INT KEY, NAME STRING, PART STRUCT<A BIGINT, B STRING>, L ARRAY<INT>, M MAP<STRING, DOUBLE>)"
        " WITH (kafka_topic='s', partitions=1, value_format='JSON');"
        f"CREATE STREAM O WITH (value_format='PROTOBUF', value_schema_id={number}, value_schema_full_name='Row')"
        " AS SELECT * FROM S;"
    )
    engine.run_until_idle()
    engine.execute("INSERT INTO S VALUES (1, 'x', STRUCT(A:=5, B:='y'), ARRAY[1, 2], MAP('k':=1.5));")
    engine.run_until_idle()
    (record,) = engine.read("O")
    assert record.value is not None
    assert record.value[:8] == bytes([0, 0, 0, 0, number, 2, 2, 0x3A])  # index 1 of the schema, then field 7
    rows = engine.query("SELECT * FROM O;", properties={"auto.offset.reset": "earliest"})
    assert list(rows) == [(1, "x", {"A": 5, "B": "y"}, [1, 2], {"k": 1.5})]


def test_a_json_sr_sink_is_written_under_the_schema_it_names() -> None:
    engine = opened()
    schemas = engine.context.schemas
    assert schemas is not None
    text = '{"type":"object","properties":{"V":{"oneOf":[{"type":"null"},{"type":"integer","connect.type":"int32"}]}}}'
    number = schemas.register("given", "JSON", text).id
    engine.execute(
        "CREATE STREAM S (V INT) WITH (kafka_topic='s', partitions=1, value_format='JSON');"
        f"CREATE STREAM O WITH (value_format='JSON_SR', value_schema_id={number}) AS SELECT * FROM S;"
    )
    engine.run_until_idle()
    engine.execute("INSERT INTO S VALUES (1);")
    engine.run_until_idle()
    (record,) = engine.read("O")
    assert record.value == bytes([0, 0, 0, 0, number]) + b'{"V":1}'


def test_what_a_sink_names_is_registered_under_its_subject() -> None:
    sql, registry = with_registry()
    one = registry.register(
        "other-value",
        "JSON",
        '{"type":"object","properties":{"A":{"type":"integer","connect.type":"int32"}}}',
    )
    sql.execute("CREATE STREAM S (A INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);")
    sql.execute(
        f"CREATE STREAM D WITH (VALUE_FORMAT='JSON_SR', VALUE_SCHEMA_ID={one.id}) AS SELECT A FROM S;"
    )
    found = registry.latest("D-value")
    assert found is not None
    assert (found.id, found.schema) == (one.id, one.schema)


def test_a_key_that_the_named_schema_calls_otherwise() -> None:
    sql, registry = with_registry()
    one = registry.register("other-key", "AVRO", '"int"')
    sql.execute("CREATE STREAM S (K INT KEY, A INT) WITH (KAFKA_TOPIC='s', FORMAT='JSON', PARTITIONS=1);")
    with pytest.raises(StatementError, match=r"changed, missing or reordered: \[`K` INTEGER KEY\]"):
        sql.execute(f"CREATE STREAM D WITH (KEY_FORMAT='AVRO', KEY_SCHEMA_ID={one.id}) AS SELECT * FROM S;")


def test_a_protobuf_schema_of_several_messages_needs_a_name() -> None:
    sql, registry = with_registry()
    registry.register(
        "t-value", "PROTOBUF", "package a.b; message X { int32 x = 1; } message Y { int32 y = 1; }"
    )
    sql.create_topic("t", 1)
    with pytest.raises(StatementError) as caught:
        sql.execute("CREATE STREAM S WITH (KAFKA_TOPIC='t', VALUE_FORMAT='PROTOBUF');")
    assert "- a.b.X\n- a.b.Y\n\nPlease specify a schema full name" in caught.value.message
    sql.execute(
        "CREATE STREAM S WITH (KAFKA_TOPIC='t', VALUE_FORMAT='PROTOBUF', VALUE_SCHEMA_FULL_NAME='a.b.Y');"
    )
