"""A durable log: a new engine goes on where the last one stopped, also after kill -9."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import orjson
import pytest

from ksqlkit.engine import live
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.engine.log.memory import MemoryLog
from ksqlkit.engine.log.sqlite import SqliteLog
from tests.support.engines import CUSTOMERS, ORDERS, PER_CUSTOMER, feed_orders, make_engine, one


@pytest.fixture(params=["memory", "sqlite"])
def reopen(request, tmp_path):
    """A function that gives an engine on the same log again; the one before is gone without goodbye."""
    memory = MemoryLog()

    def make():
        return make_engine(memory if request.param == "memory" else SqliteLog(tmp_path / "log.db"))

    return make


def test_catalogue_and_queries_come_back(reopen) -> None:
    first = reopen()
    first.execute("CREATE TYPE address AS STRUCT<street VARCHAR>;" + ORDERS + CUSTOMERS + PER_CUSTOMER)
    first.execute("CREATE STREAM gone AS SELECT * FROM orders; DROP STREAM gone DELETE TOPIC;")
    first.execute("CREATE STREAM extra (a INT) WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSON', PARTITIONS=1);")
    first.execute("ALTER STREAM extra ADD COLUMN b INT; PAUSE CTAS_PER_CUSTOMER_5;")
    before = first.context
    first.log.close()

    second = reopen()
    after = second.context
    assert after.catalog.sources == before.catalog.sources
    assert after.catalog.types == before.catalog.types
    assert after.catalog.references == before.catalog.references
    assert after.statuses == before.statuses
    assert after.next_sequence == before.next_sequence
    assert {q.id: q.state for q in after.queries.values()} == {"CTAS_PER_CUSTOMER_5": "PAUSED"}
    assert "GONE" not in second.topics()
    assert after.startup_errors == []


def test_state_and_positions_come_back(reopen) -> None:
    first = reopen()
    first.execute(ORDERS + PER_CUSTOMER)
    feed_orders(first)
    first.log.close()
    second = reopen()
    assert second.query("SELECT n, total FROM per_customer WHERE customer='alice';").rows == ((2, 15.75),)
    assert second.run_until_idle() == 0
    feed_orders(second, "o4 alice 1 1")
    assert second.query("SELECT n, total FROM per_customer WHERE customer='alice';").rows == ((3, 16.75),)
    changes = [r.value for p in (0, 1) for r in second.read("PER_CUSTOMER", p) if r.key == b"alice"]
    assert changes == [
        b'{"N":1,"TOTAL":10.5}', b'{"N":2,"TOTAL":15.75}', b'{"N":3,"TOTAL":16.75}'
    ]  # fmt: skip


def test_a_terminated_query_starts_afresh(reopen) -> None:
    first = reopen()
    first.execute(ORDERS + PER_CUSTOMER)
    feed_orders(first)
    first.execute("DROP TABLE per_customer DELETE TOPIC;" + PER_CUSTOMER)
    first.log.close()
    second = reopen()
    second.run_until_idle()
    assert second.query("SELECT n FROM per_customer WHERE customer='alice';").rows == ((2,),)


def test_a_replaced_query_comes_back_as_replaced(reopen) -> None:
    first = reopen()
    first.execute(ORDERS + "CREATE STREAM big AS SELECT id, qty FROM orders WHERE qty > 2;")
    first.execute("CREATE OR REPLACE STREAM big AS SELECT id, qty, amount FROM orders;")
    first.log.close()
    second = reopen()
    feed_orders(second, "o1 a 1 1")
    assert [r.value for p in (0, 1) for r in second.read("BIG", p)] == [b'{"QTY":1,"AMOUNT":1.0}']


def test_request_settings_stay_with_their_query(reopen) -> None:
    first = reopen()
    first.execute(ORDERS)
    feed_orders(first)
    first.execute(
        "CREATE STREAM late AS SELECT id, qty FROM orders;", properties={"auto.offset.reset": "latest"}
    )
    first.log.close()
    second = reopen()
    second.run_until_idle()
    assert [r for p in (0, 1) for r in second.read("LATE", p)] == []
    described = one(second, "EXPLAIN CSAS_LATE_1;").query_description
    assert described.overridden_properties == {"auto.offset.reset": "latest"}


def test_a_command_that_no_longer_works_is_left_out(tmp_path) -> None:
    path = tmp_path / "log.db"
    functions = Registry()
    functions.register_scalar("SHOUT(VARCHAR s) -> VARCHAR", str.upper)
    from ksqlkit.engine.engine import Engine

    with Engine(SqliteLog(path), functions=functions) as first:
        first.execute(ORDERS + "CREATE STREAM loud AS SELECT id, SHOUT(customer) AS c FROM orders;")
        first.execute("CREATE STREAM fine AS SELECT id, qty FROM orders;")
    with Engine(SqliteLog(path)) as second:
        ((sql, error),) = second.context.startup_errors
        assert "loud" in sql
        assert "SHOUT" in str(error)
        assert list(second.context.queries) == ["CSAS_FINE_3"]
    with Engine(SqliteLog(path), functions=functions) as third:
        assert third.context.startup_errors == []
        assert list(third.context.queries) == ["CSAS_LOUD_1", "CSAS_FINE_3"]


def test_commands_that_came_to_nothing_are_forgotten(reopen, monkeypatch) -> None:
    monkeypatch.setattr(live, "FORGOTTEN_AT_ONCE", 10)
    first = reopen()
    first.execute(ORDERS + CUSTOMERS + PER_CUSTOMER)
    first.execute("CREATE TYPE part AS STRUCT<a INT>; CREATE TYPE odd AS STRUCT<b INT>;")
    first.execute("CREATE STREAM kept (p part) WITH (KAFKA_TOPIC='k', VALUE_FORMAT='JSON', PARTITIONS=1);")
    first.execute("DROP TYPE part; DROP TYPE odd; CREATE TYPE odd AS STRUCT<c INT>;")
    first.execute("PAUSE ALL; RESUME ALL;")
    for number in range(10):
        first.execute(f"CREATE STREAM s{number} AS SELECT id, qty FROM orders;")
        first.execute(f"INSERT INTO s{number} SELECT id, qty FROM orders;")
        running = [q for q in first.context.queries if q.startswith("INSERTQUERY")]
        first.execute(f"TERMINATE {running[0]}; DROP STREAM s{number} DELETE TOPIC;")
    before, written = first.context, commands(first)
    first.log.close()

    second = reopen()
    left = commands(second)
    assert left < written - 30
    third = reopen_after(second, reopen)
    for engine in (second, third):
        after = engine.context
        assert after.startup_errors == []
        assert (after.catalog, after.queries) == (before.catalog, before.queries)
        assert after.next_sequence == before.next_sequence
    assert commands(third) == left
    answer = one(third, "CREATE STREAM next AS SELECT id, qty FROM orders;")
    assert answer.command_sequence_number == before.next_sequence
    assert f"CSAS_NEXT_{before.next_sequence - 1}" in third.context.queries
    feed_orders(third)
    assert third.query("SELECT n FROM per_customer WHERE customer='alice';").rows == ((2,),)


def commands(engine) -> int:
    return sum(1 for name in engine.log.load_meta() if name.startswith("command/"))


def reopen_after(engine, reopen):
    engine.log.close()
    return reopen()


WORKER = """
import sys
from ksqlkit.engine.log.sqlite import SqliteLog
from tests.support.engines import ORDERS, PER_CUSTOMER, make_engine

engine = make_engine(SqliteLog(sys.argv[1]))
if not engine.context.queries:
    engine.execute(ORDERS + PER_CUSTOMER + "CREATE STREAM copy AS SELECT id, customer, qty FROM orders;")
engine.start()
number = sum(engine.log.end_offset("orders", p) for p in (0, 1))
while True:
    rows = [(b"o%d" % (number + i), b'{"CUSTOMER":"c%d","AMOUNT":1,"QTY":%d}' % (i % 7, number + i)) for i in range(50)]
    number += engine.produce_many("orders", rows)
    print(number, flush=True)
"""


@pytest.mark.slow
def test_kill_9_loses_nothing_and_repeats_nothing(tmp_path) -> None:
    path, script = tmp_path / "log.db", tmp_path / "worker.py"
    script.write_text(textwrap.dedent(WORKER))
    root = Path(__file__).resolve().parents[3]
    for lines in (3, 9, 17):
        with subprocess.Popen(
            [sys.executable, str(script), str(path)],
            stdout=subprocess.PIPE,
            cwd=root,
            env={"PYTHONPATH": str(root)},
        ) as worker:
            assert worker.stdout is not None
            seen = [worker.stdout.readline() for _ in range(lines)]
            worker.kill()
        acknowledged = int(seen[-1])
    with make_engine(SqliteLog(path)) as engine:
        engine.run_until_idle()
        orders = [orjson.loads(r.value) for p in (0, 1) for r in engine.read("orders", p)]
        assert len(orders) >= acknowledged
        copied = Counter(orjson.loads(r.value)["QTY"] for p in (0, 1) for r in engine.read("COPY", p))
        assert copied == Counter(o["QTY"] for o in orders)
        rows = engine.query("SELECT customer, n FROM per_customer;").rows
        assert dict(rows) == Counter(o["CUSTOMER"] for o in orders)
