"""Whole batches against record by record: the same results, failures and calls, whatever the records are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ksqlkit.engine.log.protocol import Record
from ksqlkit.processor.state import SeriesState
from ksqlkit.processor.tasks import Batch, Task
from ksqlkit.scoring.transport import NoReply
from tests.support.processor_parts import Running, Server, entry, query

SELECTS = {
    "doubles": ("K, ID, F(A, B) AS S", "ID INT, A DOUBLE, B DOUBLE"),
    "widened": ("K, B, F(A, ID) AS S, NAME", "ID INT, A DOUBLE, B BIGINT, NAME STRING"),
    "answer first": ("F(A, A) AS S, K, NAME, A AS B", "NAME STRING, A DOUBLE"),
    "one argument": ("K, G(NAME) AS S, ID", "ID BIGINT, NAME STRING"),
    "answer alone": ("K, F(A, B) AS S", "A DOUBLE, B DOUBLE, ID INT"),
}


def added(a: float | None, b: float | None) -> float | None:
    if a is not None and a > 1000:
        raise ValueError("too much")
    return None if a is None or b is None else a + b


def length(text: str | None) -> int | None:
    return None if text is None else len(text)


FUNCTIONS = [
    entry("F", args=("DOUBLE", "DOUBLE"), batch_limit=7),
    entry("G", args=("VARCHAR",), returns="INT"),
]


class Both:
    """Answers F and G."""

    def __init__(self) -> None:
        self.f, self.g = Server(added), Server(length)

    def send(self, method: str, path: str, *rest: Any) -> Any:
        return (self.f if "/F" in path else self.g).send(method, path, *rest)

    def close(self) -> None:
        pass


def run(task: Task, records: list[Record], running: Running) -> Batch:
    running.task = task
    return task.run(records)


numbers = st.none() | st.integers(-(1 << 40), 1 << 40) | st.floats(allow_nan=False, width=64) | st.just(-0.0)
values = st.dictionaries(
    st.sampled_from(["ID", "A", "B", "NAME", "id", "EXTRA"]),
    numbers | st.text(max_size=4) | st.booleans() | st.just([1]),
)
usual = st.fixed_dictionaries(
    {
        "ID": st.integers(-5, 5),
        "A": st.floats(-1e4, 1e9),
        "B": st.integers(0, 9),
        "NAME": st.text(max_size=5),
    }
)
bodies = st.one_of(
    usual.map(orjson.dumps), usual.map(orjson.dumps), values.map(orjson.dumps), st.none(), st.just(b"{no")
)
keys = st.none() | st.sampled_from([b"k", b"", "ü".encode(), b"\xff"])
headers = st.just(()) | st.just((("h", b"1"),))


@pytest.fixture(scope="module", params=SELECTS)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Running:
    select, columns = SELECTS[request.param]
    spec = query(tmp_path_factory.mktemp("query"), select, columns)
    return Running(spec, Both(), FUNCTIONS, partitions=3)  # type: ignore[arg-type]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.lists(st.tuples(keys, bodies, headers), max_size=20))
def test_both_ways_are_one(running: Running, given_: list[tuple[Any, Any, Any]]) -> None:
    planned = running.planned
    assert planned.whole is not None
    planned = replace(planned, whole=replace(planned.whole, piece=3))
    records = [Record(i + 5, 1000 + i, *parts) for i, parts in enumerate(given_)]
    fast = run(Task(planned, 2, SeriesState()), records, running)
    slow = run(Task(replace(planned, whole=None), 2, SeriesState()), records, running)
    assert fast.outputs == slow.outputs
    assert fast.failures == slow.failures
    assert all(o.partition == 2 for o in fast.outputs)


def test_pieces_that_are_under_way_when_the_server_fails(tmp_path: Path) -> None:
    server = Both()
    running = Running(query(tmp_path, "K, A, F(A, B) AS S", "A DOUBLE, B DOUBLE"), server, FUNCTIONS)  # type: ignore[arg-type]
    assert running.planned.whole is not None
    planned = replace(running.planned, whole=replace(running.planned.whole, piece=4))
    server.f.replies = [503, NoReply("gone"), NoReply("slow", timed_out=True), 503]
    records = [Record(i, i, b"k", orjson.dumps({"A": float(i), "B": 1.0})) for i in range(15)]
    found = run(Task(planned, 0, SeriesState()), records, running)
    assert [orjson.loads(o.value or b"")["S"] for o in found.outputs] == [i + 1.0 for i in range(15)]
    assert found.failures == []


@pytest.mark.parametrize(
    ("select", "columns"),
    [
        ("K, F(A, B) + 1 AS S", "A DOUBLE, B DOUBLE"),
        ("K, F(A * 2, B) AS S", "A DOUBLE, B DOUBLE"),
        ("K, F(A, B) AS S, G(K) AS T", "A DOUBLE, B DOUBLE"),
        ("K, G(K) AS S", "A DOUBLE"),
        ("K, F(A, B) AS S, ROWTIME AS T", "A DOUBLE, B DOUBLE"),
    ],
)
def test_other_queries_go_record_by_record(tmp_path: Path, select: str, columns: str) -> None:
    assert Running(query(tmp_path, select, columns), Both(), FUNCTIONS).planned.whole is None  # type: ignore[arg-type]
