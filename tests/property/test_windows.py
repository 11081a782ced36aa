"""Windowed aggregates over random records, against slow arithmetic and SQLite."""

from __future__ import annotations

import sqlite3
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.streaming import STREAM_L, TABLE_L, engine, feed, plain, records, windowed

KEYS = st.sampled_from(["a", "b", "c"])
RECORDS = st.lists(st.tuples(KEYS, st.integers(0, 120), st.integers(-3, 9)), max_size=40)
RELAXED = settings(max_examples=40, deadline=None)


def outputs(window: str, rows: list[tuple[str, int, int]], emit: str = "CHANGES") -> Any:
    query = f"CREATE TABLE O AS SELECT ID, COUNT(*) AS N, SUM(V) AS S FROM L WINDOW {window} GROUP BY ID EMIT {emit};"
    made = engine(STREAM_L, query)
    feed(made, [("L", k, {"V": v}, t) for k, t, v in rows], each=False)
    return records(made)


@RELAXED
@given(RECORDS, st.integers(1, 30), st.integers(1, 30), st.integers(0, 40))
def test_hopping_windows_hold_what_was_in_time(
    rows: list[tuple[str, int, int]], size: int, advance: int, grace: int
) -> None:
    advance = min(advance, size)
    expected: list[tuple[str, int, tuple[int, int], int]] = []
    state: dict[tuple[str, int], tuple[int, int, int]] = {}
    stream_time = -1
    for key, time, value in rows:
        stream_time = max(stream_time, time)
        for start in range(time + 1):
            if start % advance or not start <= time < start + size or start + size <= stream_time - grace:
                continue
            count, total, latest = state.get((key, start), (0, 0, -1))
            state[key, start] = (count + 1, total + value, max(latest, time))
            expected.append((key, start, state[key, start][:2], state[key, start][2]))
    window = f"HOPPING (SIZE {size} MILLISECONDS, ADVANCE BY {advance} MILLISECONDS, GRACE PERIOD {grace} MILLISECONDS)"
    found = [(k, s, (v["N"], v["S"]), t) for k, s, v, t in windowed(outputs(window, rows))]
    assert found == expected


@RELAXED
@given(RECORDS, st.integers(1, 30))
def test_tumbling_windows_are_sqlites_groups(rows: list[tuple[str, int, int]], size: int) -> None:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE l (id TEXT, t INTEGER, v INTEGER)")
    db.executemany("INSERT INTO l VALUES (?, ?, ?)", rows)
    query = f"SELECT id, t / {size} * {size}, count(*), sum(v), max(t) FROM l GROUP BY 1, 2"
    expected = {(k, s): (n, total, t) for k, s, n, total, t in db.execute(query)}
    db.close()
    found = {}
    for k, s, v, t in windowed(outputs(f"TUMBLING (SIZE {size} MILLISECONDS)", rows)):
        found[k, s] = (v["N"], v["S"], t)
    assert found == expected


@RELAXED
@given(st.lists(st.tuples(KEYS, st.integers(0, 9), st.integers(-3, 9)), max_size=40), st.integers(1, 20))
def test_final_emits_each_closed_window_once(steps: list[tuple[str, int, int]], size: int) -> None:
    """In time order and with steps shorter than the retention, nothing is late and nothing is lost."""
    rows, now = [], 0
    for key, step, value in steps:
        now += min(step, size)
        rows.append((key, now, value))
    expected: dict[tuple[int, str], tuple[int, int]] = {}
    for key, time, value in rows:
        start = time // size * size
        if start + size <= now:
            count, total = expected.get((start, key), (0, 0))
            expected[start, key] = (count + 1, total + value)
    window = f"TUMBLING (SIZE {size} MILLISECONDS, GRACE PERIOD 0 MILLISECONDS)"
    found = [((s, k), (v["N"], v["S"])) for k, s, v, _ in windowed(outputs(window, rows, "FINAL"))]
    assert found == sorted(expected.items())


@RELAXED
@given(st.lists(st.tuples(KEYS, st.integers(0, 30), st.integers(-3, 9)), max_size=20), st.integers(1, 8))
def test_sessions_end_where_the_gaps_are(rows: list[tuple[str, int, int]], gap: int) -> None:
    """Whatever the order of arrival, the sessions left over are those of the sorted records."""
    expected: dict[tuple[str, int, int], tuple[int, int]] = {}
    for key in {k for k, _, _ in rows}:
        current: list[tuple[int, int]] = []
        groups = []
        for time, value in sorted((t, v) for k, t, v in rows if k == key):
            if current and time - current[-1][0] > gap:
                groups.append(current)
                current = []
            current.append((time, value))
        for group in [*groups, current]:
            expected[key, group[0][0], group[-1][0]] = (len(group), sum(v for _, v in group))
    found: dict[tuple[str, int, int], tuple[int, int]] = {}
    for r, (key, start, value, _) in zip(
        (made := outputs(f"SESSION ({gap} MILLISECONDS)", rows)), windowed(made, session=True), strict=True
    ):
        assert r.key is not None
        place = (key, start, int.from_bytes(r.key[-16:-8], "big"))
        if value is None:
            del found[place]
        else:
            found[place] = (value["N"], value["S"])
    assert found == expected


@RELAXED
@given(
    st.lists(st.tuples(KEYS, st.none() | st.tuples(st.integers(0, 9), st.sampled_from("xyz"))), max_size=40)
)
def test_table_groups_are_those_of_the_table_as_it_is(
    changes: list[tuple[str, tuple[int, str] | None]],
) -> None:
    made = engine(TABLE_L, "CREATE TABLE O AS SELECT G, COUNT(*) AS N, SUM(V) AS S FROM L GROUP BY G;")
    rows = [("L", k, None if c is None else {"V": c[0], "G": c[1]}, t) for t, (k, c) in enumerate(changes)]
    feed(made, rows, each=False)
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE l (id TEXT PRIMARY KEY, v INTEGER, g TEXT)")
    for key, change in changes:
        db.execute("DELETE FROM l WHERE id = ?", (key,))
        if change is not None:
            db.execute("INSERT INTO l VALUES (?, ?, ?)", (key, *change))
    expected = {g: (n, s) for g, n, s in db.execute("SELECT g, count(*), sum(v) FROM l GROUP BY g")}
    db.close()
    latest = {k: (v["N"], v["S"]) for k, v, _ in plain(records(made)) if v}
    assert {g: found for g, found in latest.items() if found[0]} == expected
