"""A query over a partition's records: results, failures, order."""

from __future__ import annotations

from pathlib import Path

import pytest

from ksqlkit.errors import ProjectError, SqlError, Unreachable
from tests.support.processor_parts import Running, Server, entry, query


def root(x: float) -> float:
    if x < 0:
        raise ValueError(f"{x} has no root")
    return x**0.5


ROOT = entry("ROOT")


def test_rows_are_asked_for_at_once_and_answered_in_order(tmp_path: Path) -> None:
    server = Server(root)
    running = Running(query(tmp_path, "K, X, ROOT(X) + 1 AS R, ROOT(X) AS AGAIN"), server, [ROOT])
    rows, failures = running.run(*({"X": float(i * i)} for i in range(50)))
    assert [r["R"] for r in rows] == [i + 1.0 for i in range(50)]
    assert [r["AGAIN"] for r in rows] == [float(i) for i in range(50)]
    assert [(path, count) for path, count, _ in server.calls] == [("/v1/functions/ROOT@1:batch", 50)]
    assert failures == []
    assert running.planned.functions == ("ROOT",)


def test_equal_calls_are_one_whatever_the_function(tmp_path: Path) -> None:
    server = Server(root)
    fickle = entry("FICKLE", deterministic=False)
    Running(query(tmp_path, "K, FICKLE(X) AS A, FICKLE(X) AS B"), server, [fickle]).run({"X": 4.0})
    assert len(server.calls) == 1
    assert "idempotency-key" in server.calls[0][2]


def test_where_decides_before_and_after_the_call(tmp_path: Path) -> None:
    server = Server(root)
    spec = query(tmp_path, "K, X")
    path = tmp_path / "q.sql"
    path.write_text(path.read_text().replace("FROM S;", "FROM S WHERE X > 0 AND ROOT(X) > 2;"))
    from ksqlkit.processor.spec import read_file

    rows, failures = Running(read_file(path), server, [ROOT]).run({"X": 1.0}, {"X": 9.0}, {"X": 4.0})
    assert rows == [{"X": 9.0}]
    assert failures == []
    assert spec.name == "T"


def test_failures_name_their_record_and_results_stay(tmp_path: Path) -> None:
    running = Running(query(tmp_path, "K, X, ROOT(X) AS R"), Server(root), [ROOT])
    rows, failures = running.run({"X": 4.0}, b"{no", {"X": -1.0}, {"X": "many"}, None, {"X": 9.0})
    assert [r["R"] for r in rows if r] == [2.0, None, 3.0]
    assert failures == [
        (1, "", "DESERIALIZATION_ERROR"),
        (2, "ROOT", "INVALID_INPUT"),
        (3, "", "DESERIALIZATION_ERROR"),
    ]
    again, nothing = running.run({"X": 16.0})
    assert again == [{"X": 16.0, "R": 4.0}]
    assert nothing == []


def test_a_row_that_cannot_be_written_costs_only_itself(tmp_path: Path) -> None:
    running = Running(query(tmp_path, "K, LPAD('x', N, 'x') AS L", "N INT"), Server(root), [])
    running.task._largest = 100
    rows, failures = running.run(*({"N": n} for n in (1, 2, 500, 3, 400)))
    assert [len(r["L"]) for r in rows] == [1, 2, 3]
    assert failures == [(2, "", "TOO_LARGE"), (4, "", "TOO_LARGE")]


def test_what_breaks_off_leaves_no_rows_behind(tmp_path: Path) -> None:
    server = Server(root, [])
    running = Running(query(tmp_path, "K, ROOT(X) AS R"), server, [ROOT])
    server.replies = [503, 503]
    running.keeper.after, running.keeper.error = 1, Unreachable("stop")
    with pytest.raises(Unreachable):
        running.run({"X": 1.0}, {"X": 4.0})
    server.replies, running.keeper.error = [], None
    rows, _ = running.run({"X": 9.0})
    assert [r["R"] for r in rows] == [3.0]


@pytest.mark.parametrize(
    ("select", "words"),
    [
        ("K, EXPLODE(ARRAY[X]) AS Y", "one row at a time"),
        ("K, COUNT(*) AS N", "one row at a time|GROUP BY"),
        ("K, NO_SUCH(X) AS R", "NO_SUCH"),
        ("K, ROOT('a') AS R", "ROOT"),
    ],
)
def test_queries_that_are_refused(tmp_path: Path, select: str, words: str) -> None:
    with pytest.raises((ProjectError, SqlError), match=words) as raised:
        Running(query(tmp_path, select), Server(root), [ROOT])
    assert raised.value.location is not None
    assert str(tmp_path) in str(raised.value.location)


@pytest.mark.parametrize(
    ("select", "message", "hint"),
    [
        ("K, ROOOT(X) AS R", "ROOOT", "Did you mean ROOT?"),
        ("K, QUITE_OTHER(X) AS R", "QUITE_OTHER", "ksqlkit functions"),
        ("K, ROOT(K) AS R", "does not accept parameters (STRING)", None),
    ],
)
def test_functions_that_are_not_there_or_take_something_else(
    tmp_path: Path, select: str, message: str, hint: str | None
) -> None:
    with pytest.raises(SqlError) as raised:
        Running(query(tmp_path, select), Server(root), [ROOT])
    assert message in raised.value.message
    assert "record_offset" not in raised.value.message
    assert (hint or "") in (raised.value.hint or "")


def test_tables_are_refused(tmp_path: Path) -> None:
    spec = query(tmp_path, "K, X")
    path = tmp_path / "q.sql"
    path.write_text(path.read_text().replace("STREAM S (K STRING KEY", "TABLE S (K STRING PRIMARY KEY"))
    from ksqlkit.processor.spec import read_file

    with pytest.raises((ProjectError, SqlError)):
        Running(read_file(path), Server(root), [ROOT])
    assert spec.before
