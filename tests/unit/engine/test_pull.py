"""Pull queries: look-ups, scans, windows, refusals."""

from __future__ import annotations

import pytest

from ksqlkit.engine.results import PullResult
from ksqlkit.errors import KsqlkitError
from tests.support.engines import CUSTOMERS, NOW, ORDERS, PER_CUSTOMER, feed_orders, make_engine

MINUTE = 60_000
START = NOW // MINUTE * MINUTE


@pytest.fixture(scope="module")
def engine():
    with make_engine() as made:
        made.execute(ORDERS + CUSTOMERS + PER_CUSTOMER)
        made.execute(
            "CREATE TABLE tumble AS SELECT customer, COUNT(*) AS n FROM orders "
            "WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY customer;"
        )
        made.execute(
            "CREATE TABLE mk WITH (KEY_FORMAT='JSON') AS SELECT customer, qty, COUNT(*) AS n FROM orders "
            "GROUP BY customer, qty;"
        )
        made.execute(
            "CREATE SOURCE TABLE src (cid VARCHAR PRIMARY KEY, name VARCHAR) "
            "WITH (KAFKA_TOPIC='customers', VALUE_FORMAT='JSON');"
        )
        made.execute("INSERT INTO customers VALUES ('alice', 'Alice', 1);")
        feed_orders(made, "o1 alice 10.5 1|o2 bob 20 2|o3 alice 5.25 3|o4 carol 100 4")
        yield made


ROWS = [
    ("SELECT * FROM per_customer WHERE customer='alice';", [("alice", 2, 15.75)]),
    ("SELECT n, total AS t, customer FROM per_customer WHERE customer='bob';", [(1, 20.0, "bob")]),
    ("SELECT customer FROM per_customer WHERE customer='nobody';", []),
    ("SELECT customer FROM per_customer WHERE customer IN ('bob', 'alice', 'x', 'bob');", [("bob",), ("alice",)]),
    ("SELECT customer FROM per_customer;", [("bob",), ("carol",), ("alice",)]),
    ("SELECT customer FROM per_customer LIMIT 2;", [("bob",), ("carol",)]),
    ("SELECT customer FROM per_customer LIMIT 0;", []),
    ("SELECT customer FROM per_customer WHERE n > 1;", [("alice",)]),
    ("SELECT customer FROM per_customer WHERE customer > 'b';", [("bob",), ("carol",)]),
    ("SELECT customer FROM per_customer WHERE customer BETWEEN 'b' AND 'bz';", [("bob",)]),
    ("SELECT customer FROM per_customer WHERE customer='alice' OR total > 50;", [("carol",), ("alice",)]),
    ("SELECT customer FROM per_customer WHERE customer LIKE 'c%';", [("carol",)]),
    ("SELECT customer FROM per_customer WHERE NOT (n = 1);", [("alice",)]),
    ("SELECT UCASE(customer) AS u, n*2 AS n2, ROWTIME FROM per_customer WHERE customer='bob';",
     [("BOB", 2, NOW + 1000)]),
    ("SELECT * FROM tumble WHERE customer='alice';", [("alice", START, START + MINUTE, 2)]),
    (f"SELECT n FROM tumble WHERE customer='alice' AND WINDOWSTART = {START};", [(2,)]),
    (f"SELECT n FROM tumble WHERE customer='alice' AND WINDOWSTART > {START};", []),
    ("SELECT n FROM tumble WHERE customer='alice' AND WINDOWSTART >= '2023-11-14' AND WINDOWEND <= '2023-11-15';",
     [(2,)]),
    ("SELECT n FROM mk WHERE customer='alice' AND qty=3;", [(1,)]),
    ("SELECT qty FROM mk WHERE customer='alice';", [(1,), (3,)]),
    ("SELECT * FROM src WHERE cid='alice';", [("alice", "Alice")]),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "rows"), ROWS)
def test_rows(engine, sql, rows) -> None:
    result = engine.query(sql)
    assert isinstance(result, PullResult)
    assert list(result.rows) == rows


def test_schema_marks_keys_and_window_bounds(engine) -> None:
    assert engine.query("SELECT * FROM per_customer LIMIT 0;").schema == (
        "`CUSTOMER` STRING KEY, `N` BIGINT, `TOTAL` DOUBLE"
    )
    assert engine.query("SELECT n, WINDOWSTART FROM tumble LIMIT 0;").schema == (
        "`N` BIGINT, `WINDOWSTART` BIGINT KEY"
    )
    assert engine.query("SELECT ROWTIME, UCASE(customer) AS u FROM tumble LIMIT 0;").schema == (
        "`ROWTIME` BIGINT, `U` STRING"
    )


REFUSED = [
    ("SELECT * FROM customers WHERE cid='a';", "The `CUSTOMERS` table isn't queryable."),
    ("SELECT * FROM nope;", "NOPE does not exist."),
    ("SELECT nope FROM per_customer;", "Line: 1, Col: 8: SELECT column 'NOPE' cannot be resolved."),
    ("SELECT * FROM per_customer WHERE nope=1;", "Line: 1, Col: 34: WHERE column 'NOPE' cannot be resolved."),
    ("SELECT * FROM per_customer WHERE customer=5;", "Cannot compare CUSTOMER (STRING) to 5 (INTEGER)"),
    ("SELECT customer, COUNT(*) FROM per_customer GROUP BY customer;", "don't support GROUP BY clauses."),
    ("SELECT * FROM per_customer p JOIN src c ON p.customer=c.cid;", "don't support JOIN clauses."),
    ("SELECT * FROM per_customer HAVING n > 1;", "don't support HAVING clauses."),
    ("SELECT * FROM per_customer PARTITION BY n;", "don't support PARTITION BY clauses."),
    ("SELECT ROWPARTITION FROM per_customer;", "following columns in SELECT clauses: `ROWPARTITION`"),
    ("SELECT * FROM per_customer WHERE customer='a' AND WINDOWSTART=1;", "WHERE column 'WINDOWSTART'"),
    ("SELECT n, n FROM per_customer;", "Duplicate value columns found in schema: `N` BIGINT"),
    ("SELECT * FROM per_customer; SELECT * FROM per_customer;", "found 2 instead"),
    ("SHOW STREAMS;", "Neither a query nor a print statement"),
    ("PRINT nope;", "Could not find topic 'nope'"),
]


@pytest.mark.parametrize(("sql", "says"), REFUSED)
def test_refusals(engine, sql, says) -> None:
    with pytest.raises(KsqlkitError) as error:
        engine.query(sql)
    assert says in str(error.value)


NO_SCAN = {"ksql.query.pull.table.scan.enabled": False}


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("", "Missing WHERE clause."),
        ("WHERE n = 1", "WHERE clause missing key column for disjunct: (N = 1)."),
        ("WHERE customer <> 'a'", "must currently be '='"),
        ("WHERE customer > 'a' AND customer < 'c'", "cannot be combined with other comparisons"),
        ("WHERE customer = 'a' OR n = 1", "WHERE clause missing key column for disjunct: (N = 1)."),
        ("WHERE UCASE(customer) = 'A'", "A comparison must directly reference a key column"),
    ],
)
def test_without_table_scans_the_key_is_needed(engine, where, says) -> None:
    with pytest.raises(KsqlkitError) as error:
        engine.query(f"SELECT * FROM per_customer {where};", properties=NO_SCAN)
    assert says in str(error.value)
    assert engine.query("SELECT n FROM per_customer WHERE customer='bob';", properties=NO_SCAN).rows == (
        (1,),
    )


def test_multi_column_keys_without_scans(engine) -> None:
    with pytest.raises(Exception, match="Multi-column sources must specify every key"):
        engine.query("SELECT * FROM mk WHERE customer='alice';", properties=NO_SCAN)


def test_pull_on_a_stream_ends_at_its_end(engine) -> None:
    query = engine.query("SELECT id, qty FROM orders WHERE qty >= 2;")
    assert query.schema == "`ID` STRING, `QTY` INTEGER"
    assert sorted(query) == [("o2", 2), ("o3", 3), ("o4", 4)]
    assert query.final_message == "Query Completed"
    limited = engine.query("SELECT id FROM orders LIMIT 2;")
    assert len(list(limited)) == 2
    assert limited.final_message == "Limit Reached"


@pytest.mark.parametrize(("left", "right"), [("per_customer", "members"), ("members", "per_customer")])
def test_a_join_of_tables_whose_keys_differ_in_format(left, right) -> None:
    with make_engine() as made:
        made.execute(ORDERS + PER_CUSTOMER)
        made.execute(
            "CREATE TABLE members (id VARCHAR PRIMARY KEY, name VARCHAR) "
            "WITH (KAFKA_TOPIC='members', FORMAT='JSON', PARTITIONS=2);"
            f"CREATE TABLE known AS SELECT customer, n, name FROM {left} JOIN {right} ON customer = id;"
            "INSERT INTO members VALUES ('alice', 'Alice');"
            "INSERT INTO members VALUES ('bob', 'Bob');"
        )
        feed_orders(made)
        assert sorted(made.query("SELECT * FROM known;").rows) == [("alice", 2, "Alice"), ("bob", 1, "Bob")]
        assert made.query("SELECT name FROM known WHERE customer = 'bob';").rows == (("Bob",),)
        assert made.query("SELECT name FROM known WHERE customer > 'alice';").rows == (("Bob",),)


def test_a_decimal_sum_of_nothing_has_its_scale() -> None:
    with make_engine() as made:
        made.execute(
            "CREATE STREAM paid (id VARCHAR KEY, amount DECIMAL(6, 2)) "
            "WITH (KAFKA_TOPIC='paid', VALUE_FORMAT='JSON', PARTITIONS=1);"
            "CREATE TABLE sums AS SELECT id, SUM(amount) AS total FROM paid GROUP BY id;"
            "INSERT INTO paid VALUES ('a', NULL);"
        )
        made.run_until_idle()
        assert [str(total) for _, total in made.query("SELECT * FROM sums;").rows] == ["0.00"]
        assert [str(total) for (total,) in made.query("SELECT total FROM sums WHERE id = 'a';").rows] == [
            "0.00"
        ]
