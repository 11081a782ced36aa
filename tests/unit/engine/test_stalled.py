"""A remote function that does not answer: everything else goes on, and its query can be ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.engine.log.protocol import Log
from ksqlkit.engine.log.sqlite import SqliteLog
from tests.support.streaming import STREAM_L, TABLE_L, plain, records

PROMPT = 10.0  # seconds, so that a busy machine is no failure; a call that hangs does so for 30
WITH_REMOTE = {
    "projection": "CREATE STREAM O AS SELECT ID, SCORE(V) AS S FROM L;",
    "where": "CREATE STREAM O AS SELECT ID, V FROM L WHERE SCORE(V) > 2;",
    "group by": "CREATE TABLE O WITH (key_format='JSON') AS SELECT SCORE(V) AS S, COUNT(*) AS N FROM L "
    "GROUP BY SCORE(V);",
    "argument": "CREATE TABLE O AS SELECT ID, SUM(SCORE(V)) AS S FROM L GROUP BY ID;",
    "having": "CREATE TABLE O AS SELECT ID, COUNT(*) AS N FROM L GROUP BY ID HAVING SCORE(COUNT(*)) > 0;",
    "several stages": "CREATE STREAM O AS SELECT ID, SCORE(SCORE(V)) AS S FROM L WHERE SCORE(V) > 0;",
}


class Gate:
    """Answers twice the number once it is open; says when it is asked."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.asked = threading.Event()
        self.calls: list[list[tuple[Any, ...]]] = []

    def call(self, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        self.calls.append(list(rows))
        self.asked.set()
        assert self.open.wait(30)
        return [None if r[0] is None else r[0] * 2 for r in rows]


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open.set()


def started(gate: Gate, *statements: str, log: Log | None = None) -> Engine:
    functions = Registry()
    args = [{"name": "v", "type": "DOUBLE"}]
    functions.register_remote("SCORE", [{"args": args, "returns": "DOUBLE"}], gate)
    engine = Engine(
        log,
        functions=functions,
        properties={"auto.offset.reset": "earliest", "ksql.logging.processing.stream.auto.create": False},
    )
    for statement in statements:
        engine.execute(statement.replace("{n}", "2"))
    return engine.start()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def prompt(act: Callable[[], Any]) -> Any:
    """What an action gives that must not wait for the call that hangs."""
    begun = time.monotonic()
    found = act()
    assert time.monotonic() - begun < PROMPT
    return found


def put(engine: Engine, *rows: tuple[str, int]) -> None:
    engine.produce_many(
        "L", [(k.encode(), b'{"V":%d,"G":"g"}' % v, 1000 + i) for i, (k, v) in enumerate(rows)]
    )


@pytest.mark.parametrize("query", WITH_REMOTE.values(), ids=WITH_REMOTE)
def test_others_go_on_while_a_call_hangs(gate: Gate, query: str) -> None:
    copy = "CREATE STREAM COPY AS SELECT ID, V FROM L;"
    with started(gate, STREAM_L, query, copy) as engine:
        push = engine.query("SELECT ID, V FROM L EMIT CHANGES;")
        prompt(lambda: put(engine, ("a", 1), ("b", 2)))
        assert gate.asked.wait(5)
        prompt(lambda: engine.execute("SHOW STREAMS; SHOW QUERIES; DESCRIBE L;"))
        prompt(lambda: put(engine, ("c", 3)))
        wait_for(lambda: len(records(engine, "COPY")) == 3)
        seen: list[Any] = []
        wait_for(lambda: bool(seen.extend(push.poll()) or len(seen) == 3))
        prompt(lambda: engine.execute("CREATE STREAM LATER AS SELECT ID, G FROM L;"))
        wait_for(lambda: len(records(engine, "LATER")) == 3)
        assert records(engine) == []
        gate.open.set()
        wait_for(lambda: len(plain(records(engine))) >= (2 if "V) > 2" in query else 3))
        prompt(engine.close)


def test_terminate_drop_and_close_do_not_wait_and_the_answer_is_thrown_away(gate: Gate) -> None:
    query = WITH_REMOTE["projection"]
    engine = started(gate, STREAM_L, query)
    put(engine, ("a", 1))
    assert gate.asked.wait(5)
    prompt(lambda: engine.execute("TERMINATE CSAS_O_1;"))
    gate.asked.clear()
    prompt(lambda: engine.execute("DROP STREAM O DELETE TOPIC;" + query))
    assert gate.asked.wait(5)  # the new query asks again, from the beginning
    prompt(lambda: engine.execute("PAUSE ALL; RESUME ALL;"))
    prompt(lambda: engine.execute("DROP STREAM O;"))
    gate.open.set()
    time.sleep(0.05)
    assert records(engine) == []
    prompt(engine.close)


def test_close_does_not_wait(gate: Gate) -> None:
    engine = started(gate, STREAM_L, WITH_REMOTE["where"])
    put(engine, ("a", 1))
    assert gate.asked.wait(5)
    prompt(engine.close)


def test_a_push_query_that_waits_can_be_closed(gate: Gate) -> None:
    with started(gate, STREAM_L) as engine:
        put(engine, ("a", 1))
        push = engine.query("SELECT ID, SCORE(V) AS S FROM L EMIT CHANGES;")
        ending = engine.query("SELECT ID, SCORE(V) AS S FROM L;")
        assert gate.asked.wait(5)
        assert not ending.done  # type: ignore[union-attr]
        prompt(lambda: engine.close_query(push.query_id))
        gate.open.set()
        assert list(ending) == [("a", 2.0)]


def test_order_and_one_commit_a_poll_are_kept(gate: Gate) -> None:
    with started(gate, STREAM_L, WITH_REMOTE["projection"]) as engine:
        put(engine, ("a", 1))
        assert gate.asked.wait(5)
        for number in range(2, 6):
            put(engine, ("a", number))
        gate.open.set()
        wait_for(lambda: len(records(engine)) == 5)
        assert [v and v["S"] for _, v, _ in plain(records(engine))] == [2.0, 4.0, 6.0, 8.0, 10.0]
        assert [len(rows) for rows in gate.calls] == [1, 4]


@pytest.mark.parametrize("log", ["memory", "sqlite"])
def test_pull_queries_see_the_last_commit_while_a_poll_waits(gate: Gate, log: str, tmp_path) -> None:
    table = "CREATE TABLE O AS SELECT ID, COUNT(*) AS N FROM L GROUP BY ID HAVING SCORE(COUNT(*)) > 0;"
    gate.open.set()
    durable = SqliteLog(tmp_path / "log.db") if log == "sqlite" else None
    with started(gate, STREAM_L, table, log=durable) as engine:
        put(engine, ("a", 1), ("b", 1))
        wait_for(lambda: len(records(engine)) == 2)
        gate.open.clear()
        gate.asked.clear()
        put(engine, ("a", 1), ("c", 1))
        assert gate.asked.wait(5)
        look = "SELECT ID, N FROM O WHERE ID = '{}';"
        assert prompt(lambda: engine.query(look.format("a"))).rows == (("a", 1),)
        assert prompt(lambda: engine.query(look.format("c"))).rows == ()
        assert sorted(prompt(lambda: engine.query("SELECT ID, N FROM O;")).rows) == [("a", 1), ("b", 1)]
        gate.open.set()
        wait_for(lambda: len(records(engine)) == 4)
        assert engine.query(look.format("a")).rows == (("a", 2),)


def test_without_a_thread_the_call_is_made_with_the_lock_let_go(gate: Gate) -> None:
    engine = started(gate, STREAM_L, WITH_REMOTE["several stages"])
    engine.stop()
    put(engine, ("a", 1))
    worker = threading.Thread(target=engine.run_until_idle)
    worker.start()
    assert gate.asked.wait(5)
    prompt(lambda: engine.execute("SHOW STREAMS;"))
    gate.open.set()
    worker.join(5)
    assert [v and v["S"] for _, v, _ in plain(records(engine))] == [4.0]
    engine.close()


def test_a_slow_function_leaves_threads_for_the_others(gate: Gate) -> None:
    from ksqlkit.engine.runtime.callers import THREADS, Callers

    class Quick:
        def call(self, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
            return list(rows)

    callers = Callers(lambda: None)
    stuck = [callers.submit(gate, [(1,)]) for _ in range(THREADS)]
    assert callers.submit(Quick(), [(7,)]).result(5) == [(7,)]
    gate.open.set()
    assert [f.result(5) for f in stuck] == [[2]] * THREADS
    callers.close()
    assert callers.submit(Quick(), []).cancelled()


def test_a_pull_query_asks_once_for_all_rows_and_holds_nobody_up(gate: Gate) -> None:
    with started(gate, STREAM_L, "CREATE TABLE O AS SELECT ID, MAX(V) AS V FROM L GROUP BY ID;") as engine:
        put(engine, ("a", 1), ("b", 2), ("c", 3))
        wait_for(lambda: len(records(engine)) == 3)
        found: list[Any] = []
        pull = "SELECT ID, SCORE(V) AS S FROM O WHERE SCORE(V) > 3 AND ID <> 'x';"
        asker = threading.Thread(target=lambda: found.extend(engine.query(pull).rows))  # type: ignore[union-attr]
        asker.start()
        assert gate.asked.wait(5)
        prompt(lambda: engine.execute("SHOW TABLES;"))
        gate.open.set()
        asker.join(5)
        assert sorted(found) == [("b", 4.0), ("c", 6.0)]
        assert [len(rows) for rows in gate.calls] == [3, 2]
        assert len(engine.query("SELECT SCORE(V) AS S FROM O LIMIT 2;").rows) == 2  # type: ignore[union-attr]
        assert len(gate.calls[-1]) == 2


def test_a_table_row_is_asked_for_once_and_kept(gate: Gate) -> None:
    gate.open.set()
    with started(gate, TABLE_L, "CREATE TABLE O AS SELECT ID, SCORE(V) AS S FROM L;") as engine:
        put(engine, ("a", 1), ("b", 2))
        wait_for(lambda: len(records(engine)) == 2)
        asked = len(gate.calls)
        gate.open.clear()
        assert sorted(prompt(lambda: engine.query("SELECT * FROM O;")).rows) == [("a", 2.0), ("b", 4.0)]
        assert len(gate.calls) == asked
