"""Rows for pull queries: look-ups, ranges, windows, order."""

from __future__ import annotations

from typing import Any

from ksqlkit.engine.runtime.query import Materialization
from tests.support.streaming import STREAM_L, TABLE_L, TABLE_R, engine, feed


def table(*statements: str, rows: list[Any], partitions: int = 1) -> Materialization:
    made = engine(*statements, partitions=partitions)
    feed(made, rows, each=False)
    *_, query = made.context.running.values()
    found = query.materialization
    assert found is not None
    return found


COUNTS = "CREATE TABLE O AS SELECT ID, COUNT(*) AS N FROM L {} GROUP BY ID{};"


def test_get_and_scan_in_key_order() -> None:
    rows = [("L", k, {"V": 1}, t) for t, k in enumerate(["b", "a", "c", "b"])]
    found = table(STREAM_L, COUNTS.format("", ""), rows=rows)
    assert found.get(("b",)) == (("b",), (2,), 3, None)
    assert found.get(("x",)) is None
    assert [r[0][0] for r in found.scan()] == ["a", "b", "c"]
    assert [r[0][0] for r in found.range(("b",), None)] == ["b", "c"]
    assert [r[0][0] for r in found.range(("a",), ("b",))] == ["a", "b"]
    spread = table(STREAM_L, COUNTS.format("", ""), rows=rows, partitions=3)
    assert sorted(spread.scan()) == list(found.scan())
    assert spread.get(("b",)) == found.get(("b",))


def test_having_and_projection_apply() -> None:
    query = "CREATE TABLE O AS SELECT ID, COUNT(*) * 10 AS N FROM L GROUP BY ID HAVING COUNT(*) > 1;"
    found = table(STREAM_L, query, rows=[("L", k, {"V": 1}, 1) for k in "aab"])
    assert list(found.scan()) == [(("a",), (20,), 1, None)]


def test_windows_of_a_key_in_ranges() -> None:
    window = "WINDOW TUMBLING (SIZE 10 MILLISECONDS)"
    rows = [("L", k, {"V": 1}, t) for k, t in (("a", 25), ("b", 7), ("a", 3), ("a", 12))]
    found = table(STREAM_L, COUNTS.format(window, ""), rows=rows)
    everything = (0, 1 << 62)
    assert [r[3] for r in found.get_windows(("a",), everything, everything)] == [(0, 10), (10, 20), (20, 30)]
    assert [r[3] for r in found.get_windows(("a",), (10, 20), (0, 25))] == [(10, 20)]
    assert [(r[0][0], r[3]) for r in found.scan_windows()] == [
        ("a", (0, 10)), ("a", (10, 20)), ("a", (20, 30)), ("b", (0, 10)),
    ]  # fmt: skip


def test_sessions() -> None:
    rows = [("L", "a", {"V": 1}, t) for t in (1, 5, 50)]
    found = table(STREAM_L, COUNTS.format("WINDOW SESSION (10 MILLISECONDS)", ""), rows=rows)
    assert [(r[1], r[3]) for r in found.scan_windows()] == [((2,), (1, 5)), ((1,), (50, 50))]
    assert [r[3] for r in found.get_windows(("a",), (0, 10), (0, 100))] == [(1, 5)]


def test_joined_tables_and_plain_tables() -> None:
    rows = [
        ("L", "a", {"V": 1}, 1),
        ("R", "a", {"W": 2}, 5),
        ("R", "b", {"W": 3}, 2),
        ("L", "c", {"V": 9}, 3),
    ]
    query = "CREATE TABLE O AS SELECT ROWKEY AS K, V, W FROM L FULL OUTER JOIN R ON L.ID = R.ID;"
    found = table(TABLE_L, TABLE_R, query, rows=rows)
    assert list(found.scan()) == [
        (("a",), (1, 2), 5, None),
        (("b",), (None, 3), 2, None),
        (("c",), (9, None), 3, None),
    ]
    found = table(TABLE_L, "CREATE TABLE O AS SELECT ID, V FROM L WHERE V > 1;", rows=rows[:1] + rows[3:])
    assert list(found.scan()) == [(("c",), (9,), 3, None)]


def test_foreign_key_results() -> None:
    query = "CREATE TABLE O AS SELECT L.ID, V, W FROM L LEFT JOIN R ON L.G = R.ID;"
    rows = [("L", "a", {"V": 1, "G": "x"}, 1), ("R", "x", {"W": 2}, 5), ("L", "b", {"V": 3}, 6)]
    found = table(TABLE_L, TABLE_R, query, rows=rows, partitions=3)
    assert list(found.scan()) == [(("a",), (1, 2), 5, None), (("b",), (3, None), 6, None)]
    assert found.get(("a",)) == (("a",), (1, 2), 5, None)
