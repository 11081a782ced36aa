"""Running queries: restart, failing commits, order of inputs, transient queries, offsets."""

from __future__ import annotations

from typing import Any

import pytest

from ksqlkit.engine.clock import FixedClock
from ksqlkit.engine.log.memory import MemoryLog
from ksqlkit.engine.log.protocol import Commit, Output
from ksqlkit.engine.runtime.query import ProcessingError, RunningQuery
from tests.support.streaming import STREAM_L, STREAM_R, TABLE_R, engine, feed, plain, records

QUERIES = [
    "CREATE STREAM O AS SELECT ID, V * 2 AS D FROM L WHERE V > 1;",
    "CREATE TABLE O AS SELECT G, COUNT(*) AS N, COLLECT_LIST(V) AS C, AVG(V) AS A FROM L GROUP BY G;",
    "CREATE TABLE O AS SELECT ID, COUNT(*) AS N FROM L WINDOW TUMBLING (SIZE 10 MILLISECONDS, "
    "GRACE PERIOD 5 MILLISECONDS) GROUP BY ID EMIT FINAL;",
    "CREATE TABLE O AS SELECT ID, SUM(V) AS S FROM L WINDOW SESSION (8 MILLISECONDS) GROUP BY ID;",
    "CREATE STREAM O AS SELECT L.ID, V, W FROM L LEFT JOIN R WITHIN 20 MILLISECONDS "
    "GRACE PERIOD 5 MILLISECONDS ON L.ID = R.ID;",
]


class FailingLog(MemoryLog):
    """Fails the commits of a poll when told to."""

    fail = False

    def commit(self, commit: Commit) -> None:
        if self.fail and commit.outputs:
            raise OSError("disk full")
        super().commit(commit)


def rows(count: int = 60) -> list[Any]:
    return [
        (
            "LR"[i % 3 == 0],
            f"k{i % 4}",
            {"V": i % 7, "W": i, "G": f"g{i % 3}"},
            7 * i - 40 * (i % 5 == 4) + 100,
        )
        for i in range(count)
    ]


def restarted(query: RunningQuery, log: MemoryLog, functions: Any) -> RunningQuery:
    query.close(drop=False)
    return RunningQuery(
        query.plan,
        log=log,
        functions=functions,
        clock=FixedClock(0),
        errors=lambda _: None,
        offset_reset="earliest",
    )


@pytest.mark.parametrize("statement", QUERIES)
def test_a_restart_after_every_few_records_changes_nothing(statement: str) -> None:
    whole = engine(STREAM_L, STREAM_R, statement)
    feed(whole, rows(), each=False)
    log = MemoryLog()
    made = engine(STREAM_L, STREAM_R, statement, log=log)
    (query,) = made.context.running.values()
    made.context.running.clear()
    feed(made, rows(), each=False)
    polls = 0
    while query.poll(1 + polls % 4):
        polls += 1
        query = restarted(query, log, made.context.functions)
    assert polls > 10
    assert records(made) == records(whole)


@pytest.mark.parametrize("statement", QUERIES[:3])
def test_a_failed_commit_is_undone_and_done_again(statement: str) -> None:
    whole = engine(STREAM_L, STREAM_R, statement)
    feed(whole, rows(), each=False)
    log = FailingLog()
    made = engine(STREAM_L, STREAM_R, statement, log=log)
    (query,) = made.context.running.values()
    made.context.running.clear()
    feed(made, rows(), each=False)
    assert query.poll(20) == 20
    log.fail = True
    with pytest.raises(OSError, match="disk full"):
        query.poll(30)
    assert query.stats.status == "ERROR"
    log.fail = False
    while query.poll(9):
        pass
    assert query.stats.status == "RUNNING"
    assert records(made) == records(whole)


def test_offset_reset_and_the_start_is_kept() -> None:
    log = MemoryLog()
    made = engine(STREAM_L, log=log)
    feed(made, [("L", "a", {"V": 1}, 1)])
    made.execute("CREATE STREAM O AS SELECT ID, V FROM L;", properties={"auto.offset.reset": "latest"})
    (query,) = made.context.running.values()
    feed(made, [("L", "b", {"V": 2}, 2)], each=False)
    assert [k for k, _, _ in plain(records(made))] == ["b"]
    assert log.positions(query.plan.query_id) == {("L", 0): 2}


def test_closing_with_drop_forgets_state_and_positions() -> None:
    log = MemoryLog()
    made = engine(STREAM_L, QUERIES[1], log=log)
    (query,) = made.context.running.values()
    feed(made, [("L", "a", {"V": 1, "G": "x"}, 1)])
    name = f"{query.plan.query_id}/Aggregate-Aggregate/0"
    assert len(list(log.load_state(name))) == 1
    query.close(drop=True)
    assert not list(log.load_state(name))
    assert not log.positions(query.plan.query_id)


def test_transient_queries_leave_nothing_in_the_log() -> None:
    log = MemoryLog()
    made = engine(STREAM_L, QUERIES[1], log=log)
    (persistent,) = made.context.running.values()
    found: list[tuple[Any, ...]] = []
    errors: list[ProcessingError] = []
    query = RunningQuery(
        persistent.plan,
        log=log,
        functions=made.context.functions,
        clock=FixedClock(0),
        errors=errors.append,
        on_rows=found.extend,
        offset_reset="earliest",
    )
    before = log.positions(persistent.plan.query_id)
    log.commit(Commit(outputs=[Output("L", 0, 1, b"a", b'{"V":3,"G":"x"}')]))
    assert query.poll() == 1
    assert query.materialization is None
    assert log.positions(persistent.plan.query_id) == before
    assert not errors


def test_several_partitions_are_read_by_timestamp_within_a_task() -> None:
    query = "CREATE STREAM O AS SELECT L.ID AS ID, V, W FROM L JOIN R ON L.ID = R.ID;"
    made = engine(STREAM_L, TABLE_R, query, partitions=3)
    keys = [f"k{i}" for i in range(9)]
    feed(made, [("L", k, {"V": 2}, 20) for k in keys], each=False)
    made.run_until_idle()
    assert records(made) == []
    late = [("R", k, {"W": 1}, 30) for k in keys] + [("L", k, {"V": 3}, 40) for k in keys]
    feed(made, late, each=False)
    assert sorted(k or "" for k, _, _ in plain(records(made))) == keys


def test_a_poll_reads_no_more_than_its_limit_and_leaves_no_partition_behind() -> None:
    made = engine(STREAM_L, QUERIES[0], partitions=3)
    (query,) = made.context.running.values()
    made.context.running.clear()
    feed(made, [("L", f"k{i}", {"V": 2}, i) for i in range(90)], each=False)
    assert [query.poll(30) for _ in range(2)] == [30, 30]
    assert sum(bool(made.read("L", p, 0, 1)) for p in range(3)) == 3
    started = [p for p in range(3) if made.log.positions(query.plan.query_id)["L", p] > 0]
    assert len(started) >= 2
    assert query.poll(100) == 30


def test_one_topic_under_two_names() -> None:
    other = STREAM_R.replace("'R'", "'L'").replace("W INT", "V INT").replace("H STRING", "G STRING")
    query = "CREATE STREAM O AS SELECT L.ID, L.V AS A, R.V AS B FROM L JOIN R WITHIN 5 MILLISECONDS ON L.ID = R.ID;"
    made = engine(STREAM_L, other, query)
    feed(made, [("L", "a", {"V": 1}, 1), ("L", "a", {"V": 2}, 3)])
    pairs = sorted((v["A"], v["B"]) for _, v, _ in plain(records(made)) if v)
    assert pairs == [(1, 1), (1, 2), (2, 1), (2, 2)]
