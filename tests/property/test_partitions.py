"""Several partitions: the same rows and totals as one partition gives, each key in the partition Kafka puts it in."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.log.partitioner import partition_for
from tests.support.streaming import STREAM_L, STREAM_R, TABLE_R, Fed, engine, feed, plain, records, windowed

KEYS = st.sampled_from([f"k{i}" for i in range(12)])
ROWS = st.lists(
    st.tuples(KEYS, st.integers(0, 400), st.integers(-3, 9), st.sampled_from("xyz")), min_size=1, max_size=60
)
RELAXED = settings(max_examples=20, deadline=None)


def ran(partitions: int, statements: list[str], fed: list[Fed], *, each: bool = False) -> Engine:
    made = engine(*statements, partitions=partitions)
    feed(made, fed, each=each)
    return made


def clicks(rows: list[tuple[str, int, int, str]]) -> list[Fed]:
    return [("L", k, {"V": v, "G": g}, t) for k, t, v, g in rows]


def in_their_place(target: Engine, window_bytes: int = 0) -> None:
    """Every record lies where Kafka's partitioner puts its key (without the window)."""
    count = target.topics()["O"].partitions
    for partition in range(count):
        for record in target.read("O", partition):
            key = record.key if record.key is None or not window_bytes else record.key[:-window_bytes]
            assert key is None or partition_for(key, count) == partition


TOTALS = {
    "by key": "CREATE TABLE O AS SELECT ID, COUNT(*) AS N, SUM(V) AS S, MAX(V) AS M FROM L GROUP BY ID;",
    "by another column": "CREATE TABLE O AS SELECT G, COUNT(*) AS N, SUM(V) AS S, MIN(V) AS M FROM L GROUP BY G;",
    "by an expression": "CREATE TABLE O AS SELECT V % 3 AS R, COUNT(*) AS N, SUM(V) AS S FROM L GROUP BY V % 3;",
    "by two columns": "CREATE TABLE O WITH (key_format='JSON') AS SELECT ID, G, COUNT(*) AS N, AVG(V) AS A FROM L "
    "GROUP BY ID, G;",
}


@pytest.mark.parametrize("query", TOTALS.values(), ids=TOTALS)
@RELAXED
@given(rows=ROWS, partitions=st.integers(2, 5))
def test_totals(query: str, rows: list[tuple[str, int, int, str]], partitions: int) -> None:
    latest = []
    for count in (1, partitions):
        made = ran(count, [STREAM_L, query], clicks(rows))
        latest.append({r.key: json.loads(r.value or b"null") for r in records(made)})
        in_their_place(made)
        made.close()
    assert latest[0] == latest[1]


@RELAXED
@given(rows=ROWS, partitions=st.integers(2, 5), size=st.integers(5, 100))
def test_windowed_totals_where_nothing_is_late(
    rows: list[tuple[str, int, int, str]], partitions: int, size: int
) -> None:
    query = (
        f"CREATE TABLE O AS SELECT G, COUNT(*) AS N, SUM(V) AS S FROM L WINDOW TUMBLING (SIZE {size} MILLISECONDS, "
        "GRACE PERIOD 1 HOUR) GROUP BY G;"
    )
    latest: list[dict[tuple[str, int], Any]] = []
    for count in (1, partitions):
        made = ran(count, [STREAM_L, query], clicks(rows))
        latest.append({(k, start): value for k, start, value, _ in windowed(records(made))})
        in_their_place(made, 8)
        made.close()
    expected: Counter[tuple[str, int]] = Counter((g, t // size * size) for _, t, _, g in rows)
    assert latest[0] == latest[1]
    assert {place: value["N"] for place, value in latest[1].items()} == expected


@RELAXED
@given(rows=ROWS, partitions=st.integers(2, 5))
def test_rows_keyed_anew_all_arrive(rows: list[tuple[str, int, int, str]], partitions: int) -> None:
    query = "CREATE STREAM O AS SELECT G, ID, V FROM L PARTITION BY G;"
    made = ran(partitions, [STREAM_L, query], clicks(rows))
    found = Counter((k, v["ID"], v["V"], t) for k, v, t in plain(records(made)) if v)
    assert found == Counter((g, k, v, t) for k, t, v, g in rows)
    in_their_place(made)
    made.close()


@RELAXED
@given(
    rows=st.lists(
        st.tuples(st.sampled_from("LR"), KEYS, st.integers(0, 300)), max_size=60, unique_by=lambda r: r[2]
    ),
    partitions=st.integers(2, 5),
    within=st.integers(0, 60),
)
def test_stream_joins(rows: list[tuple[str, str, int]], partitions: int, within: int) -> None:
    query = f"CREATE STREAM O AS SELECT L.ID, V, W FROM L JOIN R WITHIN {within} MILLISECONDS ON L.ID = R.ID;"
    fed: list[Fed] = [(s, k, {"V": n, "W": n}, t) for n, (s, k, t) in enumerate(rows)]
    made = ran(partitions, [STREAM_L, STREAM_R, query], fed)
    found = Counter((k, v["V"], v["W"]) for k, v, _ in plain(records(made)) if v)
    in_their_place(made)
    made.close()
    assert found == Counter(
        (k, m, n)
        for m, (s, k, t) in enumerate(rows)
        for n, (o, j, u) in enumerate(rows)
        if (s, o) == ("L", "R") and j == k and abs(t - u) <= within
    )


@pytest.mark.parametrize("kind", ["INNER", "LEFT"])
@RELAXED
@given(
    steps=st.lists(st.tuples(st.sampled_from("LR"), KEYS, st.none() | st.integers(0, 9)), max_size=60),
    partitions=st.integers(1, 5),
)
def test_stream_table_joins_see_the_table_as_it_was(
    kind: str, steps: list[tuple[str, str, int | None]], partitions: int
) -> None:
    """Against a dict that follows the table's changes."""
    query = f"CREATE STREAM O AS SELECT L.ID, V, W FROM L {kind} JOIN R ON L.ID = R.ID;"
    fed: list[Fed] = [
        (side, k, None if v is None and side == "R" else {"V": n, "W": v}, n)
        for n, (side, k, v) in enumerate(steps)
    ]
    table: dict[str, int] = {}
    expected = []
    for n, (side, k, v) in enumerate(steps):
        if side == "L":
            if kind == "LEFT" or k in table:
                expected.append((k, n, table.get(k)))
        elif v is None:
            table.pop(k, None)
        else:
            table[k] = v
    made = ran(partitions, [STREAM_L, TABLE_R, query], fed)
    found = [(k, v["V"], v["W"]) for k, v, _ in plain(records(made)) if v]
    made.close()
    assert sorted(found, key=lambda r: r[1]) == expected
