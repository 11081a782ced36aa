"""DDL and admin statements: answers and refusals."""

from __future__ import annotations

import threading

import pytest

from ksqlkit.engine import results as R
from ksqlkit.engine.clock import FixedClock
from tests.support.engines import CUSTOMERS, ORDERS, PER_CUSTOMER, feed_orders, make_engine, one, refused


@pytest.fixture
def engine():
    with make_engine() as made:
        made.execute(ORDERS + CUSTOMERS)
        yield made


def test_create_echoes_the_statement_with_defaults() -> None:
    status = one(make_engine(), ORDERS)
    assert isinstance(status, R.CurrentStatus)
    assert status.command_id == "stream/`ORDERS`/create"
    assert status.command_status == R.CommandStatus("SUCCESS", "Stream created")
    assert status.command_sequence_number == 0
    assert status.statement_text == (
        "CREATE STREAM ORDERS (ID STRING KEY, CUSTOMER STRING, AMOUNT DOUBLE, QTY INTEGER) WITH "
        "(CLEANUP_POLICY='delete', KAFKA_TOPIC='orders', KEY_FORMAT='KAFKA', PARTITIONS=2, VALUE_FORMAT='JSON');"
    )


def test_create_as_names_the_query_by_command_number(engine) -> None:
    status = one(engine, "CREATE STREAM big AS SELECT id, amount * 2 AS dbl FROM orders WHERE amount > 4;")
    assert status.command_status == R.CommandStatus(
        "SUCCESS", "Created query with ID CSAS_BIG_3", query_id="CSAS_BIG_3"
    )
    assert status.command_sequence_number == 4
    assert status.statement_text == (
        "CREATE STREAM BIG WITH (CLEANUP_POLICY='delete', KAFKA_TOPIC='BIG', PARTITIONS=2, REPLICAS=1, "
        "RETENTION_MS=604800000) AS SELECT\n  ORDERS.ID ID,\n  (ORDERS.AMOUNT * 2) DBL\nFROM ORDERS ORDERS\n"
        "WHERE (ORDERS.AMOUNT > 4)\nEMIT CHANGES;"
    )
    assert engine.topics()["BIG"].partitions == 2


REFUSED = [
    (
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='none', VALUE_FORMAT='JSON');",
        "Topic 'none' does not exist.",
    ),
    ("CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='s', PARTITIONS=1);", "missing the 'VALUE_FORMAT' property"),
    ("CREATE STREAM s (a INT);", 'Missing required property "KAFKA_TOPIC"'),
    ("CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='X', PARTITIONS=1);", "Unknown format: X"),
    (
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1, FOO=1);",
        "Invalid config variable(s) in the WITH clause: FOO",
    ),
    (
        "CREATE STREAM s (a BOGUS) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
        "Cannot resolve unknown type: BOGUS",
    ),
    (
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', PARTITIONS=5);",
        "KSQL expects 5 partitions (topic has 2)",
    ),
    (
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', PARTITIONS='x');",
        "Invalid value x for property PARTITIONS: Not a number of type INT",
    ),
    (
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='AVRO');",
        "Cannot create topic 'orders' with format AVRO without configuring 'ksql.schema.registry.url'",
    ),
    (
        "CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', WINDOW_TYPE='TUMBLING');",
        "TUMBLING windows require 'WINDOW_SIZE'",
    ),
    (
        "CREATE STREAM s (ROWTIME BIGINT) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON');",
        "'ROWTIME' is a reserved column name.",
    ),
    (
        "CREATE TABLE t (a INT) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON');",
        "Tables require a PRIMARY KEY.",
    ),
    (
        "CREATE STREAM orders (a INT) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON');",
        "same name already exists",
    ),
    ("CREATE TYPE t AS STRUCT<a NOPE>;", "Cannot resolve unknown type: NOPE"),
    ("DROP TYPE nope;", "Type NOPE does not exist."),
    ("DROP STREAM nope;", "Stream NOPE does not exist."),
    ("DROP TABLE orders;", "Incompatible data source type is stream, but statement was DROP table"),
    ("DESCRIBE nope;", "Could not find STREAM/TABLE 'NOPE' in the Metastore"),
    ("DESCRIBE FUNCTION nope;", "Can't find any functions with the name"),
    ("TERMINATE nope;", "Unknown queryId: NOPE"),
    ("EXPLAIN nope;", "Query with id:NOPE does not exist"),
    ("EXPLAIN DROP STREAM orders;", "The provided statement does not run a ksql query"),
    ("ALTER STREAM nope ADD COLUMN a INT;", "Source NOPE does not exist."),
    ("ALTER STREAM orders ADD COLUMN qty INT;", "Cannot add column `QTY` to schema."),
    ("SET 'bogus.prop'='1';", "Unknown property: bogus.prop"),
    ("SET 'auto.offset.reset'='sometimes';", "String must be one of: latest, earliest, none"),
    ("SHOW CONNECTORS;", "no Kafka Connect cluster is configured"),
    ("CREATE SOURCE CONNECTOR c WITH ('connector.class'='x');", "no Kafka Connect cluster is configured"),
    ("SELECT * FROM orders;", "should be issued to the websocket endpoint '/query'"),
    ("ASSERT TOPIC nope;", "Topic nope does not exist"),
    ("ASSERT TOPIC orders WITH (partitions=7);", "For config partitions, expected 7 got 2"),
    ("ASSERT NOT EXISTS TOPIC orders;", "Topic orders exists"),
    ("CREATE STREAM z AS SELECT nope FROM orders;", "SELECT column 'NOPE' cannot be resolved."),
    ("CREATE STREAM z AS SELECT * FROM nope;", "Exception while preparing statement: NOPE does not exist."),
    ("INSERT INTO nope SELECT * FROM orders;", "Line: 1, Col: 13: Source `NOPE` does not exist."),
    ("INSERT INTO customers SELECT * FROM orders;", "CUSTOMERS is a table."),
    ("CREATE STREAM z WITH (PARTITIONS=0) AS SELECT * FROM orders;", "Invalid number of partitions"),
    (
        "CREATE STREAM z (a INT) WITH (KAFKA_TOPIC='a b', VALUE_FORMAT='JSON', PARTITIONS=1);",
        "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics",
    ),
    ("CREATE STREAM z WITH (KAFKA_TOPIC='..') AS SELECT * FROM orders;", "'..' cannot be '.' or '..'"),
    (
        f"CREATE STREAM z WITH (KAFKA_TOPIC='{'t' * 250}') AS SELECT * FROM orders;",
        "is longer than the max allowed length 249",
    ),
    (
        "CREATE TABLE z AS SELECT id, COUNT(*) FROM orders WINDOW TUMBLING (SIZE 0 SECONDS) GROUP BY id;",
        "Window size (sizeMs) must be larger than zero.",
    ),
    (
        "CREATE TABLE z AS SELECT id, COUNT(*) FROM orders WINDOW HOPPING (SIZE 1 SECONDS, ADVANCE BY 2 SECONDS) "
        "GROUP BY id;",
        "less than window duration 1000 ms, but given advancement interval is: 2000 ms",
    ),
    (
        "CREATE TABLE z AS SELECT id, COUNT(*) FROM orders WINDOW SESSION (0 SECONDS) GROUP BY id;",
        "Gap time (gapMs) cannot be zero or negative.",
    ),
    (
        "CREATE TABLE z AS SELECT id, COUNT(*) FROM orders WINDOW TUMBLING (SIZE 1 HOUR, RETENTION 1 MINUTE, "
        "GRACE PERIOD 0 SECONDS) GROUP BY id;",
        "Got size=[3600000], grace=[0], retention=[60000]",
    ),
    (
        "CREATE OR REPLACE STREAM orders (id VARCHAR KEY) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON');",
        "Cannot upgrade data source",
    ),
    (
        "CREATE STREAM s (a VARCHAR) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', TIMESTAMP='a', "
        "TIMESTAMP_FORMAT='yyyy{');",
        "Invalid datetime format for config:TIMESTAMP_FORMAT, reason:Pattern includes reserved character: '{'",
    ),
    (
        "CREATE STREAM s (a INT KEY) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', WINDOW_TYPE='TUMBLING', "
        "WINDOW_SIZE='0 SECONDS');",
        "Size must be positive",
    ),
    (
        "INSERT INTO orders WITH (QUERY_ID='CSAS_mine') SELECT * FROM orders;",
        "Query IDs must not start with a reserved query ID prefix (INSERTQUERY_, CTAS_, CSAS_, CST_). Got 'CSAS_MINE'.",
    ),
    (
        "INSERT INTO orders WITH (QUERY_ID='my query') SELECT * FROM orders;",
        "Query IDs may contain only alphanumeric characters and '_'. Got: 'MY QUERY'",
    ),
    (
        "CREATE STREAM z AS SELECT * FROM orders; INSERT INTO z SELECT * FROM orders; "
        "CREATE OR REPLACE STREAM z AS SELECT * FROM orders;",
        "REPLACE for sink `Z` is not supported because there are multiple queries writing into it",
    ),
]


@pytest.mark.parametrize(("sql", "says"), REFUSED)
def test_refusals_change_nothing(engine, sql, says) -> None:
    before = (dict(engine.context.catalog.sources), engine.topics(), dict(engine.context.queries))
    error = refused(engine, sql)
    assert says in error.message
    assert getattr(error, "statement", None)
    assert before == (dict(engine.context.catalog.sources), engine.topics(), dict(engine.context.queries))


def test_a_request_is_validated_as_a_whole(engine) -> None:
    refused(engine, "CREATE TYPE a AS INT; CREATE STREAM x AS SELECT * FROM orders; DROP STREAM nope;")
    assert engine.context.catalog.types == {}
    assert engine.context.queries == {}
    assert "X" not in engine.topics()


def test_if_not_exists_warns(engine) -> None:
    warning = one(engine, ORDERS.replace("STREAM", "STREAM IF NOT EXISTS"))
    assert isinstance(warning, R.WarningEntity)
    assert warning.message == "Cannot add stream `ORDERS`: A stream with the same name already exists."


def test_drop_checks_who_reads_and_ends_its_own_query(engine) -> None:
    engine.execute(PER_CUSTOMER)
    error = refused(engine, "DROP STREAM orders;")
    assert "The following streams and/or tables read from this source: [PER_CUSTOMER]." in error.message
    engine.execute("CREATE STREAM copy AS SELECT * FROM orders; INSERT INTO copy SELECT * FROM orders;")
    error = refused(engine, "DROP STREAM copy;")
    assert "The following queries write into this source: [INSERTQUERY_7]." in error.message
    status = one(engine, "DROP TABLE per_customer DELETE TOPIC;")
    assert status.command_status.message == "Source `PER_CUSTOMER` (topic: PER_CUSTOMER) was dropped."
    assert status.statement_text == "DROP TABLE PER_CUSTOMER;"
    assert "PER_CUSTOMER" not in engine.topics()
    assert "CTAS_PER_CUSTOMER_3" not in engine.context.queries


def test_replaced_queries_go_on_where_they_were(engine) -> None:
    engine.execute("CREATE STREAM big AS SELECT id, qty FROM orders WHERE qty > 2;")
    feed_orders(engine)
    status = one(engine, "CREATE OR REPLACE STREAM big AS SELECT id, qty, amount FROM orders WHERE qty > 1;")
    assert status.command_status.query_id == "CSAS_BIG_3"
    feed_orders(engine, "o4 zed 1 2")
    values = [r.value for p in (0, 1) for r in engine.read("BIG", p)]
    assert sorted(values) == [b'{"QTY":2,"AMOUNT":1.0}', b'{"QTY":3}']


def test_replacing_an_aggregate_is_refused(engine) -> None:
    engine.execute(PER_CUSTOMER)
    error = refused(engine, PER_CUSTOMER.replace("CREATE", "CREATE OR REPLACE").replace("SUM", "MAX"))
    assert "Query is not upgradeable" in error.message


UPGRADES = [
    # a sink's query, what is to replace it, and what is said
    (
        "STREAM",
        "id, qty FROM orders",
        "id, qty FROM orders PARTITION BY qty",
        "Key columns must be identical",
    ),
    ("STREAM", "id, qty FROM orders", "id, qty FROM orders WHERE qty > 1", None),
    ("STREAM", "id, qty FROM orders WHERE qty > 1", "id, qty, UCASE(id) AS u FROM orders", None),
    (
        "TABLE",
        "qty, COUNT(*) AS n FROM orders GROUP BY qty",
        "qty, COUNT(*) AS n FROM orders GROUP BY qty",
        None,
    ),
    (
        "TABLE",
        "qty, COUNT(*) AS n FROM orders GROUP BY qty",
        "qty, COUNT(*) AS n FROM orders WHERE qty > 1 GROUP BY qty",
        None,
    ),
    (
        "TABLE",
        "qty, COUNT(*) AS n FROM orders GROUP BY qty",
        "qty, COUNT(*) AS n FROM orders GROUP BY qty HAVING COUNT(*) > 1",
        "StreamAggregate must have matching class. Values differ: StreamAggregate vs. TableFilter",
    ),
    (
        "TABLE",
        "qty, COUNT(*) AS n FROM orders GROUP BY qty",
        "qty, COUNT(id) AS n FROM orders GROUP BY qty",
        "must have matching",
    ),
    (
        "TABLE",
        "qty, COUNT(*) AS n FROM orders WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY qty",
        "qty, COUNT(*) AS n FROM orders WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY qty",
        "Upgrades not yet supported for StreamWindowedAggregate",
    ),
    (
        "STREAM",
        "id, EXPLODE(ARRAY[1]) AS e FROM orders",
        "id, EXPLODE(ARRAY[1]) AS e FROM orders",
        "Upgrades not yet supported for StreamFlatMap",
    ),
    (
        "STREAM",
        "o.id, qty FROM orders o JOIN customers c ON o.id = c.cid",
        "o.id, qty FROM orders o JOIN customers c ON o.id = c.cid",
        "Upgrades not yet supported for StreamTableJoin",
    ),
]


@pytest.mark.parametrize(("kind", "old", "new", "says"), UPGRADES)
def test_what_may_replace_a_query(engine, kind, old, new, says) -> None:
    engine.execute(f"CREATE {kind} sink AS SELECT {old};")
    sql = f"CREATE OR REPLACE {kind} sink AS SELECT {new};"
    if says is None:
        assert one(engine, sql).command_status.status == "SUCCESS"
    else:
        assert says in refused(engine, sql).message


def test_an_assertion_waits_and_lets_others_work(engine) -> None:
    class Clock(FixedClock):
        """The topic comes from another thread, which needs the engine's lock, while the statement sleeps."""

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            other = threading.Thread(target=engine.create_topic, args=("late",))
            other.start()
            other.join(5)
            assert not other.is_alive()

    engine.clock = Clock()
    assert one(engine, "ASSERT TOPIC late TIMEOUT 10 SECONDS;").exists
    assert engine.clock.now() == 100


def test_an_assertion_gives_up_after_its_timeout(engine) -> None:
    for sql, wait in (("ASSERT TOPIC nope TIMEOUT 250 MILLISECONDS;", 250), ("ASSERT TOPIC nope;", 1000)):
        before = engine.clock.now()
        assert "does not exist" in refused(engine, sql).message
        assert engine.clock.now() - before == wait


def test_pause_resume_terminate(engine) -> None:
    engine.execute(PER_CUSTOMER)
    one(engine, "PAUSE CTAS_PER_CUSTOMER_3;")
    feed_orders(engine)
    assert engine.query("SELECT * FROM per_customer;").rows == ()
    assert one(engine, "SHOW QUERIES;").queries[0].state == "PAUSED"
    one(engine, "RESUME ALL;")
    engine.run_until_idle()
    assert engine.query("SELECT customer, n FROM per_customer WHERE customer='alice';").rows == (
        ("alice", 2),
    )
    status = one(engine, "TERMINATE ALL;")
    assert status.command_id == "terminate/ALL/execute"
    assert one(engine, "SHOW QUERIES;").queries == ()


def test_variables_and_settings_hold_within_a_request(engine) -> None:
    shown = one(engine, "DEFINE x='orders'; SHOW VARIABLES;")
    assert shown.variables == (R.VariableEntry("x", "orders"),)
    assert one(engine, "SHOW VARIABLES;").variables == ()
    described = one(engine, "DESCRIBE ${x};", variables={"x": "customers"})
    assert described.source_description.name == "CUSTOMERS"
    listed = one(engine, "SET 'ksql.query.pull.table.scan.enabled'='false'; SHOW PROPERTIES;")
    values = {p.name: p.value for p in listed.properties}
    assert values["ksql.query.pull.table.scan.enabled"] == "false"


def test_lists_and_descriptions(engine) -> None:
    engine.execute(PER_CUSTOMER + "CREATE TYPE address AS STRUCT<street VARCHAR>;")
    feed_orders(engine)
    assert [s.name for s in one(engine, "SHOW STREAMS;").streams] == ["ORDERS"]
    assert [s.name for s in one(engine, "LIST TABLES;").tables] == ["CUSTOMERS", "PER_CUSTOMER"]
    assert [t.name for t in one(engine, "SHOW TOPICS;").topics] == ["PER_CUSTOMER", "customers", "orders"]
    everything = [t.name for t in one(engine, "SHOW ALL TOPICS;").topics]
    assert "_confluent-ksql-default_query_CTAS_PER_CUSTOMER_3-Aggregate-GroupBy-repartition" in everything
    assert list(one(engine, "SHOW TYPES;").types) == ["ADDRESS"]
    assert {f.type for f in one(engine, "SHOW FUNCTIONS;").functions} == {"SCALAR", "AGGREGATE", "TABLE"}
    described = one(engine, "DESCRIBE per_customer EXTENDED;").source_description
    assert [(f.name, f.type) for f in described.fields] == [("CUSTOMER", "KEY"), ("N", None), ("TOTAL", None)]
    assert described.write_queries[0].id == "CTAS_PER_CUSTOMER_3"
    offsets = described.query_offset_summaries[0].topic_summaries[0]
    assert offsets.kafka_topic == "orders"
    assert sum(o.consumer_offset for o in offsets.offsets) == 3
    assert one(engine, "DESCRIBE orders;").source_description.source_constraints == ("PER_CUSTOMER",)
    assert one(engine, "DESCRIBE FUNCTION substring;").functions


def test_explain(engine) -> None:
    engine.execute(PER_CUSTOMER)
    described = one(engine, "EXPLAIN CTAS_PER_CUSTOMER_3;").query_description
    assert described.sources == ("ORDERS",)
    assert described.sinks == ("PER_CUSTOMER",)
    assert "AGGREGATE" in described.execution_plan
    engine.execute("INSERT INTO orders (id, customer) VALUES ('a', 'x');")
    engine.run_until_idle()
    tasks = one(engine, "EXPLAIN CTAS_PER_CUSTOMER_3;").query_description.tasks_metadata
    read = [offsets for task in tasks for offsets in task["topicOffsets"] if offsets["committedOffset"]]
    assert [(r["topicPartitionEntity"]["topic"], r["endOffset"], r["committedOffset"]) for r in read] == [
        ("orders", 0, 1)
    ]
    inner = one(engine, "EXPLAIN SELECT * FROM orders WHERE qty > 1 EMIT CHANGES;").query_description
    assert inner.query_type == "PUSH"
    assert inner.statement_text == "SELECT * FROM orders WHERE qty > 1 EMIT CHANGES;"
    assert len(one(engine, "SHOW QUERIES EXTENDED;").query_descriptions) == 1


def test_alter_adds_columns(engine) -> None:
    status = one(engine, "ALTER STREAM orders ADD COLUMN note VARCHAR;")
    assert status.command_status.message == "Stream ORDERS altered."
    engine.execute("INSERT INTO orders (id, note) VALUES ('a', 'hello');")
    engine.run_until_idle()
    assert list(engine.query("SELECT note FROM orders;")) == [("hello",)]
    described = one(engine, "DESCRIBE orders;").source_description
    assert described.statement.endswith("\nALTER STREAM orders ADD COLUMN note VARCHAR;")
    assert described.statement.startswith("CREATE STREAM ORDERS")


def test_headers_come_last_in_a_star_and_where_declared_in_a_description(engine) -> None:
    engine.execute(
        "CREATE STREAM h (k INT KEY, x BYTES HEADER('x'), v INT) "
        "WITH (KAFKA_TOPIC='h', VALUE_FORMAT='JSON', PARTITIONS=1);"
        "CREATE STREAM all_of_h AS SELECT * FROM h;"
    )
    described = one(engine, "DESCRIBE h;").source_description
    assert [f.name for f in described.fields] == ["K", "X", "V"]
    assert [c.name for c in engine.context.catalog.sources["ALL_OF_H"].schema.columns] == ["K", "V", "X"]


def test_a_description_has_the_columns_as_declared(engine) -> None:
    engine.execute(
        "CREATE STREAM d (a INT, h BYTES HEADER('x'), k STRING KEY, b INT) "
        "WITH (KAFKA_TOPIC='d', VALUE_FORMAT='JSON', PARTITIONS=1);"
        "ALTER STREAM d ADD COLUMN c INT;"
    )
    fields = one(engine, "DESCRIBE d;").source_description.fields
    roles = [("A", None), ("H", "HEADER"), ("K", "KEY"), ("B", None), ("C", None)]
    assert [(f.name, f.type) for f in fields] == roles
    assert engine.query("SELECT * FROM d;").schema.startswith("`K` STRING, `A` INTEGER, `B` INTEGER")
