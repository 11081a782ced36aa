"""INSERT VALUES, the processing log, PRINT, settings and the WITH clause."""

from __future__ import annotations

import struct

import pytest

from ksqlkit.dialect import parse_one
from ksqlkit.engine.properties import Properties
from ksqlkit.engine.statements import with_clause
from ksqlkit.errors import StatementError
from tests.support.engines import CUSTOMERS, NOW, ORDERS, make_engine, one, refused

TYPES = (
    "CREATE STREAM types (k BIGINT KEY, b BOOLEAN, i INT, l BIGINT, d DOUBLE, s VARCHAR, dec DECIMAL(10,2), "
    "bin BYTES, dt DATE, tm TIME, ts TIMESTAMP, ai ARRAY<INT>, mi MAP<VARCHAR,DOUBLE>, st STRUCT<a INT, b VARCHAR>) "
    "WITH (KAFKA_TOPIC='types', VALUE_FORMAT='JSON', PARTITIONS=1);"
)


@pytest.fixture
def engine():
    with make_engine() as made:
        made.execute(ORDERS + CUSTOMERS + TYPES)
        yield made


def test_all_types(engine) -> None:
    engine.execute(
        "INSERT INTO types VALUES (1, true, 2147483647, 9007199254740993, 1.5E10, 'he said \"hi\"', 12345678.90, "
        "'AQID', '2024-02-29', '23:59:58', '2024-02-29T12:34:56.789', ARRAY[1,NULL,3], MAP('x':=1.25), "
        "STRUCT(a:=1,b:='z'));"
    )
    (record,) = engine.read("types")
    assert record.timestamp == NOW
    assert record.key == (1).to_bytes(8, "big")
    assert record.value == (
        b'{"B":true,"I":2147483647,"L":9007199254740993,"D":1.5E10,"S":"he said \\"hi\\"","DEC":12345678.90,'
        b'"BIN":"AQID","DT":19782,"TM":86398000,"TS":1709210096789,"AI":[1,null,3],"MI":{"x":1.25},'
        b'"ST":{"A":1,"B":"z"}}'
    )


def test_missing_columns_are_null_and_numbers_widen(engine) -> None:
    engine.execute("INSERT INTO types (k, d, l, dec, st) VALUES (3, 1, 2, 3, STRUCT(b:='x'));")
    (record,) = engine.read("types")
    assert b'"L":2,"D":1.0,"S":null,"DEC":3.00' in record.value
    assert b'"ST":{"A":null,"B":"x"}' in record.value


REFUSED = [
    ("INSERT INTO nope VALUES (1);", "Cannot insert values into an unknown stream/table: `NOPE`"),
    ("INSERT INTO customers (cid, name) VALUES ('a');", "Expected number columns and values to match: 2, 1"),
    ("INSERT INTO customers VALUES ('a','b',1,2);", "Expected a value for each column. Expected Columns: []."),
    ("INSERT INTO customers (cid, nope) VALUES ('a','b');", "Column name `NOPE` does not exist."),
    ("INSERT INTO customers (cid, level) VALUES ('a','x');",
     "Expected type INTEGER for field `LEVEL` but got STRING(x)"),
    ("INSERT INTO customers (cid, level) VALUES ('a', 99999999999);", "but got BIGINT(99999999999)"),
    ("INSERT INTO customers (name) VALUES ('b');", "Value for primary key column(s) CID is required for tables"),
    ("INSERT INTO customers (ROWTIME, cid) VALUES (-1,'b');", "Invalid timestamp: -1."),
    ("INSERT INTO customers (ROWPARTITION, cid) VALUES (1,'b');", "Inserting into column `ROWPARTITION`"),
    ("INSERT INTO customers (cid, name) VALUES (name,'b');", "Unsupported column reference in insert value: NAME"),
    ("INSERT INTO types (k, ts) VALUES (9, 'x');", "Timestamp format must be yyyy-mm-ddThh:mm:ss[.S]"),
    ("INSERT INTO types (k, dec) VALUES (9, 123456789.5);", "Numeric field overflow"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "says"), REFUSED)
def test_refused_inserts_write_nothing(engine, sql, says) -> None:
    assert says in refused(engine, sql).message
    assert engine.read("types") == []
    assert engine.read("customers", 0) + engine.read("customers", 1) == []


def test_source_tables_are_read_only(engine) -> None:
    engine.execute(CUSTOMERS.replace("TABLE customers", "SOURCE TABLE ro"))
    assert refused(engine, "INSERT INTO ro VALUES ('a','b',1);").message == (
        "Cannot insert values into read-only table: RO"
    )


def test_typed_rows(engine) -> None:
    engine.insert("CUSTOMERS", {"CID": "a", "LEVEL": 3})
    assert [r.value for p in (0, 1) for r in engine.read("customers", p)] == [b'{"NAME":null,"LEVEL":3}']


def test_bad_records_go_to_the_processing_log() -> None:
    with make_engine(ksql__logging__processing__stream__auto__create=True) as engine:
        engine.execute(ORDERS + "CREATE STREAM doubled AS SELECT id, 10 / qty AS x FROM orders;")
        engine.produce("orders", b"a", b"{not json", partition=0)
        engine.produce("orders", b"b", b'{"QTY":0}', partition=0)
        engine.produce("orders", b"c", b'{"QTY":5}', partition=0)
        engine.run_until_idle()
        assert sorted(r.value for p in (0, 1) for r in engine.read("DOUBLED", p)) == [
            b'{"X":2}',
            b'{"X":null}',
        ]
        query = engine.query(
            "SELECT logger, message->type AS t, message->deserializationError->target AS target, "
            "message->deserializationError->`topic` AS tp, "
            "message->recordProcessingError->errorMessage AS e FROM KSQL_PROCESSING_LOG;"
        )
        bad, failed = sorted(query, key=lambda row: row[1])
        assert bad[0].startswith("processing.CSAS_DOUBLED_")
        assert bad[1:4] == (0, "value", "orders")
        assert failed[1] == 1
        assert failed[4]
        kinds = {kind: n for (_, kind), n in engine.context.processing_log.counts.items()}
        assert kinds == {"DESERIALIZATION_ERROR": 1, "RECORD_PROCESSING_ERROR": 1}


def test_a_flood_of_bad_records_is_cut_short(monkeypatch) -> None:
    from ksqlkit.engine import processing_log

    monkeypatch.setattr(processing_log, "MAX_PER_POLL", 5)
    with make_engine() as engine:
        engine.execute(ORDERS + "CREATE STREAM copy AS SELECT id, qty FROM orders;")
        engine.produce_many("orders", [(b"k", b"{") for _ in range(40)])
        engine.run_until_idle()
        topic = engine.context.processing_log.topic
        records = engine.read(topic)
        assert len(records) == 6
        assert b"35 more errors" in records[-1].value
        assert sum(engine.context.processing_log.counts.values()) == 40


def test_print(engine) -> None:
    engine.execute("INSERT INTO orders (ROWTIME, id, qty) VALUES (1699999999000, 'o0', 1);")
    engine.execute("INSERT INTO types (ROWTIME, k) VALUES (1700000000123, 7);")
    lines = list(engine.query("PRINT orders FROM BEGINNING LIMIT 1;"))
    assert lines[:2] == ["Key format: KAFKA_STRING", "Value format: JSON or KAFKA_STRING"]
    assert lines[2].startswith('rowtime: 2023/11/14 22:13:19.000 Z, key: o0, value: {"CUSTOMER":null,')
    assert lines[2].endswith(", partition: 0") or lines[2].endswith(", partition: 1")
    lines = list(engine.query("PRINT types FROM BEGINNING;"))
    assert lines[0] == "Key format: KAFKA_BIGINT or KAFKA_DOUBLE or KAFKA_STRING"
    assert ", key: 7, " in lines[2]
    assert list(engine.query("PRINT types;")) == []


def test_printed_windows() -> None:
    with make_engine() as engine:
        engine.execute(ORDERS.replace("PARTITIONS=2", "PARTITIONS=1"))
        engine.execute(
            "CREATE TABLE w AS SELECT id, COUNT(*) AS n FROM orders WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY id;"
        )
        engine.produce("orders", b"a", b"{}", timestamp=NOW)
        engine.run_until_idle()
        lines = list(engine.query("PRINT W FROM BEGINNING LIMIT 1;"))
        assert lines[0] == "Key format: HOPPING(KAFKA_STRING) or TUMBLING(KAFKA_STRING)"
        assert f"key: [a@{NOW // 60000 * 60000}/-]" in lines[2]


def test_settings() -> None:
    settings = Properties(
        {"ksql.streams.auto.offset.reset": "earliest"}, {"ksql.query.pull.table.scan.enabled": "false"}
    )
    assert settings["auto.offset.reset"] == "earliest"
    assert settings["ksql.query.pull.table.scan.enabled"] is False
    assert settings["ksql.persistence.default.format.key"] == "KAFKA"
    assert settings.overwritten() == ("ksql.query.pull.table.scan.enabled", "ksql.streams.auto.offset.reset")
    with pytest.raises(StatementError, match="prohibited by the KSQL server"):
        Properties({}, {"ksql.service.id": "x"}).check_request()
    with pytest.raises(StatementError, match="Unknown property: bogus"):
        Properties({}, {"bogus": "1"})
    for accepted in ("ksql.streams.max.poll.records", "consumer.fetch.min.bytes", "ssl.protocol"):
        Properties({}, {accepted: "1"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("VALUE_DELIMITER='<~>'", "Invalid delimiter value: '<~>'."),
        ("VALUE_DELIMITER='\t'", "Delimiter cannot be empty"),
        ("WINDOW_TYPE='HOPPING', WINDOW_SIZE='30 bobs'", "Unknown time unit: 'BOBS'"),
        ("WINDOW_SIZE='30 SECONDS'", "'WINDOW_SIZE' should not be set for SESSION windows."),
        ("WINDOW_TYPE='ROUND'", "String must be one of: SESSION, HOPPING, TUMBLING, null"),
        ("FORMAT='JSON', KEY_FORMAT='JSON'", "Cannot supply both 'KEY_FORMAT' and 'FORMAT' properties"),
        ("REPLICAS=100000", "Not a number of type SHORT"),
        ("WRAP_SINGLE_VALUE='maybe'", "Expected value to be either true or false"),
        ("KAFKA_TOPIC=''", "String must be non-empty"),
        ("CLEANUP_POLICY='compact'", "Users can't set the CLEANUP_POLICY config manually."),
    ],
)
def test_with_clause_refusals(text, says) -> None:
    topic = "" if "KAFKA_TOPIC" in text else "KAFKA_TOPIC='t', "
    node = parse_one(f"CREATE STREAM s (a INT) WITH ({topic}{text});")
    with pytest.raises(StatementError) as error:
        with_clause.read(node.properties, with_clause.CREATE, topic_required=True)
    assert says in error.value.message


def test_describe_shows_headers(engine) -> None:
    engine.execute(
        "CREATE STREAM hdrs (k VARCHAR KEY, h ARRAY<STRUCT<key STRING, value BYTES>> HEADERS, t BYTES) "
        "WITH (KAFKA_TOPIC='h', VALUE_FORMAT='JSON', PARTITIONS=1);"
    )
    fields = one(engine, "DESCRIBE hdrs;").source_description.fields
    assert [(f.name, f.type) for f in fields] == [("K", "KEY"), ("H", "HEADER"), ("T", None)]
    engine.produce("h", b"k", b"{}", headers=(("x", b"1"),))
    assert list(engine.query("SELECT h FROM hdrs;")) == [([{"KEY": "x", "VALUE": b"1"}],)]


def test_print_reads_registered_formats() -> None:
    for fmt, names, text in (
        ("AVRO", "AVRO", '{"A": 1, "B": "x\\n", "C": [1.5], "D": "\\u0004\u00e2", "E": {"F": true}}'),
        (
            "PROTOBUF",
            "PROTOBUF",
            'A: 1 B: "x\\n" C: 1.5 D { value: "\\004\\342" precision: 4 scale: 2 } E { F: true }',
        ),
        ("JSON_SR", "JSON_SR or KAFKA_STRING", '{"A":1,"B":"x\\n","C":[1.5],"D":12.50,"E":{"F":true}}'),
    ):
        with make_engine(ksql__schema__registry__url="embedded") as engine:
            engine.execute(
                "CREATE STREAM r (a INT, b STRING, c ARRAY<DOUBLE>, d DECIMAL(6, 2), e STRUCT<f BOOLEAN>) "
                f"WITH (KAFKA_TOPIC='r', VALUE_FORMAT='{fmt}', PARTITIONS=1);"
            )
            engine.execute("INSERT INTO r VALUES (1, 'x\n', ARRAY[1.5E0], 12.50, STRUCT(f := true));")
            lines = list(engine.query("PRINT r FROM BEGINNING LIMIT 1;"))
        assert lines[1] == f"Value format: {names}"
        assert f"value: {text}, partition" in lines[2]


def test_print_shows_single_precision_as_such() -> None:
    schema = (
        '{"type": "record", "name": "R", "fields": [{"name": "A", "type": "float"}, {"name": "B", "type": '
        '["null", "float"]}, {"name": "C", "type": ["float", "double", "string"]}, {"name": "D", "type": "double"}]}'
    )
    with make_engine(ksql__schema__registry__url="embedded") as engine:
        assert engine.context.schemas is not None
        number = engine.context.schemas.register("f-value", "AVRO", schema).id
        engine.create_topic("f")
        tenth, third = struct.pack("<f", 0.1), struct.pack("<f", 1 / 3)
        body = tenth + b"\x02" + third + b"\x00" + tenth + struct.pack("<d", 0.1)
        engine.produce("f", None, b"\x00" + number.to_bytes(4, "big") + body)
        lines = list(engine.query("PRINT f FROM BEGINNING LIMIT 1;"))
        assert 'value: {"A": 0.1, "B": 0.33333334, "C": 0.1, "D": 0.1}, partition' in lines[2]
