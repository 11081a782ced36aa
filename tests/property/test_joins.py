"""Joins over random records, against nested loops and SQLite."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.streaming import STREAM_L, STREAM_R, TABLE_L, TABLE_R, Fed, engine, feed, plain, records

KEYS = st.sampled_from(["a", "b", "c"])
SIDES = st.sampled_from("LR")
RELAXED = settings(max_examples=40, deadline=None)


def output(statements: list[str], rows: list[Fed], partitions: int = 1) -> Any:
    made = engine(*statements, partitions=partitions)
    feed(made, rows, each=partitions > 1)
    return plain(records(made))


@RELAXED
@given(
    st.lists(st.tuples(SIDES, KEYS, st.integers(0, 200)), max_size=40, unique_by=lambda r: r[2]),
    st.integers(0, 50),
    st.integers(0, 50),
)
def test_inner_join_is_all_pairs_in_the_window(
    rows: list[tuple[str, str, int]], before: int, after: int
) -> None:
    query = (
        "CREATE STREAM O AS SELECT L.ID, V, W FROM L JOIN R WITHIN "
        f"({before} MILLISECONDS, {after} MILLISECONDS) ON L.ID = R.ID;"
    )
    fed: list[Fed] = [(s, k, {"V": n, "W": n}, t) for n, (s, k, t) in enumerate(rows)]
    expected = Counter(
        (k, m, n, max(lt, rt))
        for m, (ls, k, lt) in enumerate(rows)
        for n, (rs, rk, rt) in enumerate(rows)
        if ls == "L" and rs == "R" and k == rk and lt - before <= rt <= lt + after
    )
    found = output([STREAM_L, STREAM_R, query], fed)
    assert Counter((k, v["V"], v["W"], t) for k, v, t in found) == expected


@pytest.mark.parametrize("kind", ["LEFT", "FULL OUTER"])
@RELAXED
@given(
    steps=st.lists(st.tuples(SIDES, KEYS, st.integers(1, 30)), max_size=30),
    window=st.integers(1, 40),
    grace=st.integers(0, 20),
)
def test_outer_join_emits_the_lonely_once_their_window_has_closed(
    kind: str, steps: list[tuple[str, str, int]], window: int, grace: int
) -> None:
    """Records in time order: each pair once, and each lonely record once, after its window and grace."""
    key = "L.ID" if kind == "LEFT" else "ROWKEY"
    query = (
        f"CREATE STREAM O AS SELECT {key} AS K, V, W FROM L {kind} JOIN R WITHIN {window} MILLISECONDS "
        f"GRACE PERIOD {grace} MILLISECONDS ON L.ID = R.ID;"
    )
    rows, now = [], 0
    for side, k, step in steps:
        now += step
        rows.append((side, k, now))
    # One last record far away closes all windows; it has no partner and stays open itself.
    rows.append(("R", "z", now + 1_000))
    fed: list[Fed] = [(s, k, {"V": n, "W": n}, t) for n, (s, k, t) in enumerate(rows)]
    expected: Counter[Any] = Counter()
    for n, (side, k, t) in enumerate(rows[:-1]):
        partners = [m for m, (s, o, u) in enumerate(rows) if s != side and o == k and abs(t - u) <= window]
        if side == "L":
            expected.update((n, m) for m in partners)
        if not partners and (side == "L" or kind != "LEFT"):
            expected[(n, None) if side == "L" else (None, n)] += 1
    found = output([STREAM_L, STREAM_R, query], fed)
    assert Counter((v["V"], v["W"]) for _, v, _ in found) == expected


CHANGES = st.lists(st.tuples(SIDES, KEYS, st.none() | st.integers(0, 9)), max_size=40)


def sqlite(changes: list[tuple[str, str, int | None]], query: str) -> dict[Any, Any]:
    db = sqlite3.connect(":memory:")
    for table in "LR":
        db.execute(f"CREATE TABLE {table} (id TEXT PRIMARY KEY, v INTEGER)")
    for side, key, value in changes:
        db.execute(f"DELETE FROM {side} WHERE id = ?", (key,))
        if value is not None:
            db.execute(f"INSERT INTO {side} VALUES (?, ?)", (key, value))
    found = {k: (v, w) for k, v, w in db.execute(query)}
    db.close()
    return found


def final(found: Any) -> dict[Any, Any]:
    state: dict[Any, Any] = {}
    for key, value, _ in found:
        if value is None:
            state.pop(key, None)
        else:
            state[key] = (value["V"], value["W"])
    return state


@pytest.mark.parametrize("kind", ["INNER", "LEFT", "RIGHT", "FULL"])
@RELAXED
@given(changes=CHANGES)
def test_table_joins_end_as_sqlite_joins_the_tables(
    kind: str, changes: list[tuple[str, str, int | None]]
) -> None:
    key = {"RIGHT": "R.ID", "FULL": "ROWKEY"}.get(kind, "L.ID")
    outer = " OUTER" if kind != "INNER" else ""
    query = f"CREATE TABLE O AS SELECT {key} AS K, V, W FROM L {kind}{outer} JOIN R ON L.ID = R.ID;"
    fed: list[Fed] = [
        (s, k, None if v is None else {"V": v, "W": v}, t) for t, (s, k, v) in enumerate(changes)
    ]
    join = f"SELECT coalesce(L.id, R.id), L.v, R.v FROM L {kind} JOIN R ON L.id = R.id"
    assert final(output([TABLE_L, TABLE_R, query], fed)) == sqlite(changes, join)


@pytest.mark.parametrize(("kind", "partitions"), [("INNER", 1), ("LEFT", 1), ("LEFT", 3)])
@settings(max_examples=25, deadline=None)
@given(changes=CHANGES)
def test_foreign_key_joins_end_as_sqlite_joins_the_tables(
    kind: str, partitions: int, changes: list[tuple[str, str, int | None]]
) -> None:
    query = f"CREATE TABLE O AS SELECT L.ID, V, W FROM L {kind} JOIN R ON SUBSTRING('abcdefghij', L.V + 1, 1) = R.ID;"
    fed: list[Fed] = [
        (s, k, None if v is None else {"V": v, "W": v}, t) for t, (s, k, v) in enumerate(changes)
    ]
    join = f"SELECT L.id, L.v, R.v FROM L {kind} JOIN R ON substr('abcdefghij', L.v + 1, 1) = R.id"
    assert final(output([TABLE_L, TABLE_R, query], fed, partitions)) == sqlite(changes, join)
