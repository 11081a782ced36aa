"""Streams with the table's row as of now."""

from __future__ import annotations

from tests.support.streaming import STREAM_L, TABLE_R, Fed, run

QUERY = "CREATE STREAM O AS SELECT L.ID AS ID, V, W FROM L {} JOIN R ON L.ID = R.ID;"
ROWS: list[Fed] = [
    ("L", "a", {"V": 1}, 10),
    ("R", "a", {"W": 5}, 50),
    ("L", "a", {"V": 2}, 20),
    ("R", "a", None, 60),
    ("L", "a", {"V": 3}, 70),
    ("L", None, {"V": 4}, 80),
    ("L", "a", None, 90),
]


def test_inner_takes_the_streams_time() -> None:
    assert run([STREAM_L, TABLE_R, QUERY.format("")], ROWS) == [("a", {"V": 2, "W": 5}, 20)]


def test_left_keeps_rows_without_a_match_and_without_a_key() -> None:
    assert run([STREAM_L, TABLE_R, QUERY.format("LEFT")], ROWS) == [
        ("a", {"V": 1, "W": None}, 10),
        ("a", {"V": 2, "W": 5}, 20),
        ("a", {"V": 3, "W": None}, 70),
        (None, {"V": 4, "W": None}, 80),
    ]


def test_smallest_timestamp_goes_first_when_both_are_there() -> None:
    rows: list[Fed] = [("L", "a", {"V": 1}, 10), ("L", "a", {"V": 2}, 30), ("R", "a", {"W": 5}, 20)]
    statements = [STREAM_L, TABLE_R]
    found = run([*statements, QUERY.format("LEFT")], rows, each=False)
    assert [v for _, v, _ in found] == [{"V": 1, "W": None}, {"V": 2, "W": 5}]


def test_join_on_another_column() -> None:
    query = "CREATE STREAM O AS SELECT R.ID AS RID, L.ID AS LID, W FROM L JOIN R ON L.G = R.ID;"
    rows: list[Fed] = [("R", "x", {"W": 5}, 1), ("L", "a", {"G": "x"}, 2), ("L", "b", {}, 3)]
    for partitions in (1, 4):
        found = run([STREAM_L, TABLE_R, query], rows, partitions=partitions)
        assert found == [("x", {"LID": "a", "W": 5}, 2)]
