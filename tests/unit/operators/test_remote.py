"""Remote functions: one call a poll, order, failures, tombstones, several stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ksqlkit.engine.functions.registry import Registry, ResolvedScalar
from ksqlkit.engine.log.sqlite import SqliteLog
from tests.support.streaming import STREAM_L, TABLE_L, TABLE_R, engine, errors, feed, plain, records


class Doubler:
    """Answers twice the number, fails for 13, and keeps what it was asked."""

    def __init__(self) -> None:
        self.calls: list[list[tuple[Any, ...]]] = []

    def call(self, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        self.calls.append(list(rows))
        return [ValueError("unlucky") if r[0] == 13 else None if r[0] is None else r[0] * 2 for r in rows]


class WithRemote(Registry):
    """The registry, in which ABS is answered elsewhere."""

    def __init__(self, remote: Doubler) -> None:
        super().__init__()
        self.remote = remote

    def scalar(self, name: str, args: Sequence[Any]) -> ResolvedScalar:
        found = super().scalar(name, args)
        return replace(found, remote=self.remote) if name == "ABS" else found


def test_one_call_for_all_rows_of_a_poll_in_order() -> None:
    remote = Doubler()
    made = engine(
        STREAM_L, "CREATE STREAM O AS SELECT ID, ABS(V) AS A, V FROM L;", functions=WithRemote(remote)
    )
    rows = [("L", f"k{i}", {"V": 10 + i}, i) for i in range(5)]
    feed(made, [*rows, ("L", "gone", None, 5), ("L", "last", {"V": 1}, 6)], each=False)
    assert [len(c) for c in remote.calls] == [6]
    out = plain(records(made))
    assert [k for k, _, _ in out] == ["k0", "k1", "k2", "k3", "k4", "gone", "last"]
    assert [v and v["A"] for _, v, _ in out] == [20, 22, 24, None, 28, None, 2]
    assert errors(made) == ["Error calling ABS: unlucky"]


def test_nested_calls_are_stages() -> None:
    remote = Doubler()
    query = "CREATE STREAM O AS SELECT ID, ABS(ABS(V) + 1) AS A FROM L;"
    made = engine(STREAM_L, query, functions=WithRemote(remote))
    feed(made, [("L", "a", {"V": 1}, 1), ("L", "b", {"V": 2}, 2)], each=False)
    assert remote.calls == [[(1,), (2,)], [(3,), (5,)]]
    assert [v for _, v, _ in plain(records(made))] == [{"A": 6}, {"A": 10}]


def test_in_where_and_before_an_aggregate() -> None:
    remote = Doubler()
    made = engine(
        STREAM_L,
        "CREATE STREAM F AS SELECT ID, V FROM L WHERE ABS(V) > 4;",
        "CREATE TABLE O WITH (key_format='JSON') AS SELECT ABS(V) AS A, COUNT(*) AS N FROM L GROUP BY ABS(V);",
        functions=WithRemote(remote),
        partitions=3,
    )
    feed(made, [("L", f"k{i}", {"V": i % 3 + 1}, i) for i in range(6)], each=False)
    assert [v for _, v, _ in plain(records(made, "F"))] == [{"V": 3}, {"V": 3}]
    assert sorted((k, v["N"]) for k, v, _ in plain(records(made)) if k and v) == [
        (str(a), n) for a in (2, 4, 6) for n in (1, 2)
    ]


def sent(remote: Doubler) -> list[int]:
    """How many rows went with each call."""
    return [len(rows) for rows in remote.calls]


@pytest.mark.parametrize(
    ("query", "calls", "rows"),
    [
        ("SELECT L.ID AS ID, ABS(V) AS S, W FROM L JOIN R ON L.ID = R.ID;", [5], {"S": 6, "W": 30}),
        (
            "SELECT L.ID AS ID, V, W FROM L JOIN R ON L.ID = R.ID WHERE ABS(V + W) > 1;",
            [5],
            {"V": 3, "W": 30},
        ),
        (
            "SELECT L.ID AS ID, V, W FROM L LEFT JOIN R ON L.ID = R.ID WHERE ABS(V) < 100;",
            [5],
            {"V": 3, "W": 30},
        ),
        ("SELECT L.ID, V, W FROM L JOIN R ON ABS(L.V) = R.W;", [5], None),
        ("SELECT ID, V FROM L WHERE ABS(V) > 1;", [5], {"V": 3}),
    ],
    ids=[
        "projection over a join",
        "filter over a join",
        "filter over an outer join",
        "foreign key",
        "filter",
    ],
)
def test_tables_and_their_joins_ask_once_a_poll(query: str, calls: list[int], rows: Any) -> None:
    remote = Doubler()
    right = (
        TABLE_R.replace("ID STRING", "W INT").replace("W INT, H", "ID STRING, H")
        if "R.W" in query
        else TABLE_R
    )
    made = engine(TABLE_L, right, f"CREATE TABLE O AS {query}", functions=WithRemote(remote))
    for i in range(5):
        made.produce("R", f"k{i}".encode(), b'{"W":%d}' % (10 * i), timestamp=i)
    for i in range(5):
        made.produce("L", f"k{i}".encode(), b'{"V":%d}' % i, timestamp=10 + i)
    made.run_until_idle()
    assert sent(remote) == calls
    out = {k: v for k, v, _ in plain(records(made))}
    if rows is not None:
        assert out["k3"] == rows
        (row,) = made.query("SELECT * FROM O WHERE ID = 'k3';").rows  # type: ignore[union-attr]
        assert row[1:] == tuple(rows.values())
    assert sent(remote) == calls  # pull queries see what is kept


class Counting(Doubler):
    """Answers how often it was asked: the same row never gets the same answer twice."""

    def call(self, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        self.calls.append(list(rows))
        done = sum(len(c) for c in self.calls[:-1])
        return list(range(done, done + len(rows)))


def test_a_table_row_is_taken_from_the_group_it_was_put_into() -> None:
    made = engine(
        TABLE_L,
        "CREATE TABLE O WITH (key_format='JSON') AS SELECT ABS(V) AS S, COUNT(*) AS N, SUM(ABS(V)) AS T FROM L "
        "GROUP BY ABS(V);",
        functions=WithRemote(Counting()),
    )
    feed(
        made, [("L", "a", {"V": 5}, 1), ("L", "a", {"V": 5}, 2), ("L", "b", {"V": 5}, 3), ("L", "a", None, 4)]
    )
    out = {k: v for k, v, _ in plain(records(made))}
    assert out == {"0": {"N": 0, "T": 0}, "1": {"N": 0, "T": 0}, "2": {"N": 1, "T": 2}}


def test_a_group_and_an_argument_share_a_call_and_having_has_its_own() -> None:
    remote = Doubler()
    made = engine(
        STREAM_L,
        "CREATE TABLE O AS SELECT ABS(V) AS S, SUM(ABS(V)) AS T FROM L GROUP BY ABS(V) HAVING ABS(COUNT(*)) > 2;",
        functions=WithRemote(remote),
        partitions=2,
    )
    feed(made, [("L", f"k{i}", {"V": 1 + i % 2}, i) for i in range(6)], each=False)
    assert sent(remote) == [6, 6]
    assert sorted(made.query("SELECT * FROM O;").rows) == [(2, 6), (4, 12)]  # type: ignore[union-attr]


def test_windows_keep_their_answers_as_long_as_they_are_kept() -> None:
    remote = Doubler()
    made = engine(
        STREAM_L,
        "CREATE TABLE O AS SELECT ID, ABS(COUNT(*)) AS A FROM L WINDOW TUMBLING (SIZE 10 MILLISECONDS, "
        "RETENTION 20 MILLISECONDS, GRACE PERIOD 0 MILLISECONDS) GROUP BY ID;",
        functions=WithRemote(remote),
    )
    feed(made, [("L", "a", {"V": 1}, t) for t in (0, 1, 10, 20, 60)])
    look = "SELECT WINDOWSTART, A FROM O WHERE ID = 'a';"
    assert made.query(look).rows == ((60, 2),)  # type: ignore[union-attr]
    asked = len(remote.calls)
    feed(made, [("L", "a", {"V": 1}, 61), ("L", "b", {"V": 1}, 62)])
    assert made.query(look).rows == ((60, 4),)  # type: ignore[union-attr]
    assert len(remote.calls) == asked + 2
    (query,) = made.context.running.values()
    (kept,) = [s for e in query._environments for n, s in e.stores.items() if "Remote" in n]
    assert sorted(kept.data) == [("a", 60, 70), ("b", 60, 70)]


def test_lambdas_ask_in_rounds() -> None:
    remote = Doubler()
    made = engine(
        STREAM_L,
        "CREATE STREAM O AS SELECT ID, TRANSFORM(ARRAY[V, V + 1], X => ABS(X)) AS A FROM L "
        "WHERE REDUCE(ARRAY[V, V], 0, (S, X) => S + ABS(X)) > 4;",
        functions=WithRemote(remote),
    )
    feed(made, [("L", f"k{i}", {"V": i}, i) for i in range(4)], each=False)
    assert sent(remote) == [4, 4, 4]  # REDUCE takes two rounds; two rows of two elements are left
    assert [v for _, v, _ in plain(records(made))] == [{"A": [4, 6]}, {"A": [6, 8]}]


def test_restart_with_answers_kept(tmp_path) -> None:
    remote = Counting()
    statements = (TABLE_L, "CREATE TABLE O AS SELECT ID, ABS(V) AS S FROM L;")
    made = engine(*statements, functions=WithRemote(remote), log=SqliteLog(tmp_path / "log.db"))
    feed(made, [("L", "a", {"V": 5}, 1), ("L", "b", {"V": 5}, 2)])
    made.close()
    again = engine(functions=WithRemote(remote), log=SqliteLog(tmp_path / "log.db"))
    assert sorted(again.query("SELECT * FROM O;").rows) == [("a", 0), ("b", 1)]  # type: ignore[union-attr]
    assert sent(remote) == [1, 1]
    again.close()
