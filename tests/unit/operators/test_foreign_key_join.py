"""Joins by a foreign key."""

from __future__ import annotations

import pytest

from tests.support.streaming import TABLE_L, TABLE_R, Fed, Out, run

QUERY = "CREATE TABLE O AS SELECT L.ID, V, W FROM L {} JOIN R ON L.G = R.ID;"


def join(kind: str, rows: list[Fed], partitions: int = 1) -> list[Out]:
    return run([TABLE_L, TABLE_R, QUERY.format(kind)], rows, partitions=partitions)


INNER: list[tuple[Fed, list[Out]]] = [
    (("L", "a", {"V": 1, "G": "x"}, 10), []),
    (("R", "x", {"W": 5}, 5), [("a", {"V": 1, "W": 5}, 5)]),
    (("L", "b", {"V": 2, "G": "x"}, 20), [("b", {"V": 2, "W": 5}, 20)]),
    (("R", "x", {"W": 6}, 30), [("a", {"V": 1, "W": 6}, 30), ("b", {"V": 2, "W": 6}, 30)]),
    (("L", "a", {"V": 1, "G": "y"}, 40), [("a", None, 40)]),
    (("L", "b", {"V": 3}, 50), [("b", None, 50)]),
    (("R", "x", None, 60), []),
    (("L", "a", None, 70), [("a", None, 70)]),
]


@pytest.mark.parametrize("partitions", [1, 3])
def test_inner(partitions: int) -> None:
    expected = [o for _, outs in INNER for o in outs]
    found = join("INNER", [row for row, _ in INNER], partitions)
    assert sorted(map(repr, found)) == sorted(map(repr, expected))
    if partitions == 1:
        assert found == expected


def test_left() -> None:
    rows: list[Fed] = [
        ("L", "a", {"V": 1, "G": "x"}, 10),
        ("R", "x", {"W": 5}, 20),
        ("L", "a", {"V": 1, "G": "y"}, 30),
        ("L", "a", {"V": 2}, 40),
        ("R", "x", {"W": 6}, 50),
        ("L", "a", None, 60),
    ]
    assert join("LEFT", rows) == [
        ("a", {"V": 1, "W": None}, 10),
        ("a", {"V": 1, "W": 5}, 20),
        ("a", {"V": 1, "W": None}, 30),
        ("a", {"V": 2, "W": None}, 40),
        ("a", None, 60),
    ]


def test_filter_over_it_has_no_old_rows() -> None:
    """Kafka Streams does not keep the result, so rows that never matched are deleted again."""
    query = QUERY.format("").replace(";", " WHERE W > 5;")
    rows: list[Fed] = [("R", "x", {"W": 5}, 1), ("L", "a", {"V": 1, "G": "x"}, 2), ("R", "x", {"W": 6}, 3)]
    assert run([TABLE_L, TABLE_R, query], rows) == [("a", None, 2), ("a", {"V": 1, "W": 6}, 3)]
