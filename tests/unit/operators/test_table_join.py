"""Joins of two tables by primary key."""

from __future__ import annotations

from tests.support.streaming import TABLE_L, TABLE_R, Fed, run

ROWS: list[Fed] = [
    ("L", "a", {"V": 1}, 10),
    ("R", "a", {"W": 2}, 5),
    ("L", "a", {"V": 3}, 20),
    ("R", "a", None, 30),
    ("L", "a", None, 40),
    ("R", "b", {"W": 9}, 50),
]


def join(kind: str) -> object:
    key = {"RIGHT": "R.ID", "FULL OUTER": "ROWKEY"}.get(kind, "L.ID")
    query = f"CREATE TABLE O AS SELECT {key} AS K, V, W FROM L {kind} JOIN R ON L.ID = R.ID;"
    return run([TABLE_L, TABLE_R, query], ROWS)


def test_inner() -> None:
    assert join("INNER") == [("a", {"V": 1, "W": 2}, 10), ("a", {"V": 3, "W": 2}, 20), ("a", None, 30)]


def test_left() -> None:
    assert join("LEFT") == [
        ("a", {"V": 1, "W": None}, 10),
        ("a", {"V": 1, "W": 2}, 10),
        ("a", {"V": 3, "W": 2}, 20),
        ("a", {"V": 3, "W": None}, 30),
        ("a", None, 40),
    ]


def test_right() -> None:
    assert join("RIGHT") == [
        ("a", {"V": 1, "W": 2}, 10),
        ("a", {"V": 3, "W": 2}, 20),
        ("a", None, 30),
        ("b", {"V": None, "W": 9}, 50),
    ]


def test_full() -> None:
    assert join("FULL OUTER") == [
        ("a", {"V": 1, "W": None}, 10),
        ("a", {"V": 1, "W": 2}, 10),
        ("a", {"V": 3, "W": 2}, 20),
        ("a", {"V": 3, "W": None}, 30),
        ("a", None, 40),
        ("b", {"V": None, "W": 9}, 50),
    ]


def test_three_tables() -> None:
    third = TABLE_R.replace("TABLE R", "TABLE Z").replace("'R'", "'Z'").replace("W INT", "X INT")
    query = (
        "CREATE TABLE O AS SELECT L.ID, V, W, X FROM L LEFT JOIN R ON L.ID = R.ID LEFT JOIN Z ON L.ID = Z.ID;"
    )
    rows: list[Fed] = [
        ("L", "a", {"V": 1}, 1),
        ("Z", "a", {"X": 3}, 2),
        ("R", "a", {"W": 2}, 3),
        ("L", "a", None, 4),
    ]
    assert run([TABLE_L, TABLE_R, third, query], rows) == [
        ("a", {"V": 1, "W": None, "X": None}, 1),
        ("a", {"V": 1, "W": None, "X": 3}, 2),
        ("a", {"V": 1, "W": 2, "X": 3}, 3),
        ("a", None, 4),
    ]
