"""Remote functions: one call a poll, order, failures, tombstones, several stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ksqlkit.engine.functions.registry import Registry, ResolvedScalar
from tests.support.streaming import STREAM_L, engine, errors, feed, plain, records


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
    assert errors(made) == ["Error calling ABS: unlucky: unlucky"]


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
