"""Push queries: limits, offset reset, closing, backpressure, the background thread."""

from __future__ import annotations

import threading

import pytest

from ksqlkit.engine import push as push_module
from ksqlkit.engine.results import Tombstone
from tests.support.engines import CUSTOMERS, ORDERS, feed_orders, make_engine, one


@pytest.fixture
def engine():
    with make_engine() as made:
        made.execute(ORDERS + CUSTOMERS)
        yield made


def test_limit_ends_the_query(engine) -> None:
    feed_orders(engine)
    query = engine.query("SELECT id, amount * 2 AS a FROM orders EMIT CHANGES LIMIT 2;")
    assert query.query_id.startswith("transient_ORDERS_")
    assert query.schema == "`ID` STRING, `A` DOUBLE"
    assert len(list(query)) == 2
    assert query.final_message == "Limit Reached"
    assert one(engine, "SHOW QUERIES;").queries == ()


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_without_rows_ends_at_once(engine, limit) -> None:
    feed_orders(engine)
    query = engine.query(f"SELECT id FROM orders EMIT CHANGES LIMIT {limit};")
    assert query.done
    assert list(query) == []


def test_offset_reset_decides_where_it_begins(engine) -> None:
    feed_orders(engine)
    latest = engine.query("SELECT id FROM orders EMIT CHANGES;", properties={"auto.offset.reset": "latest"})
    earliest = engine.query("SELECT id FROM orders EMIT CHANGES;")
    assert list(latest) == []
    assert len(list(earliest)) == 3
    feed_orders(engine, "o9 zed 1 1")
    assert list(latest) == [("o9",)]
    assert list(earliest) == [("o9",)]


def test_aggregates_and_tombstones(engine) -> None:
    feed_orders(engine)
    counts = engine.query("SELECT customer, COUNT(*) AS n FROM orders GROUP BY customer EMIT CHANGES;")
    assert sorted(counts) == [("alice", 1), ("alice", 2), ("bob", 1)]
    engine.produce("customers", b"b", b'{"NAME":"B"}', partition=0)
    engine.produce("customers", b"b", None, partition=0)
    rows = [r for r in engine.query("SELECT * FROM customers EMIT CHANGES;") if r[0] == "b"]
    assert rows == [("b", "B", None), ("b", None, None)]
    assert [isinstance(r, Tombstone) for r in rows] == [False, True]


def test_close_and_terminate(engine) -> None:
    first = engine.query("SELECT id FROM orders EMIT CHANGES;")
    second = engine.query("SELECT id FROM orders EMIT CHANGES;")
    listed = one(engine, "SHOW QUERIES;").queries
    assert {q.id for q in listed} == {first.query_id, second.query_id}
    assert {q.query_type for q in listed} == {"PUSH"}
    assert engine.close_query(first.query_id)
    assert not engine.close_query(first.query_id)
    assert first.final_message == "Query Completed"
    answer = one(engine, f"TERMINATE {second.query_id};")
    assert answer.was_terminated
    assert list(second) == []


def test_a_slow_client_holds_up_only_its_own_query(engine, monkeypatch) -> None:
    monkeypatch.setattr(push_module, "BUFFER_ROWS", 2)
    feed_orders(engine)
    slow = engine.query("SELECT id FROM orders EMIT CHANGES;")
    engine.run_until_idle()
    feed_orders(engine, "p1 a 1 1|p2 b 1 1|p3 c 1 1")
    assert len(slow.poll()) <= 4
    engine.run_until_idle()
    assert slow.poll()


def test_unknown_columns_are_refused(engine) -> None:
    with pytest.raises(Exception, match="SELECT column 'NOPE' cannot be resolved"):
        engine.query("SELECT nope FROM orders EMIT CHANGES;")


def test_the_background_thread_serves_waiting_clients(engine) -> None:
    engine.start()
    query = engine.query("SELECT id FROM orders EMIT CHANGES LIMIT 3;")
    rows = []
    reader = threading.Thread(target=lambda: rows.extend(query))
    reader.start()
    for name in ("a", "b", "c"):
        engine.produce("orders", name.encode(), b"{}")
    reader.join(timeout=5)
    assert not reader.is_alive()
    assert sorted(rows) == [("a",), ("b",), ("c",)]
    engine.stop()
