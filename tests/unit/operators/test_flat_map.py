"""Table functions in SELECT."""

from __future__ import annotations

from tests.support.streaming import engine, feed, plain, records

STREAM = (
    "CREATE STREAM L (ID STRING KEY, A ARRAY<INT>, B ARRAY<STRING>) "
    "WITH (kafka_topic='L', value_format='JSON', partitions=1);"
)


def test_one_row_per_element_and_none_for_null() -> None:
    made = engine(STREAM, "CREATE STREAM O AS SELECT ID, EXPLODE(A) AS E FROM L;")
    feed(made, [("L", "a", {"A": [1, None]}, 1), ("L", "b", {"A": None}, 2), ("L", "c", None, 3)])
    assert plain(records(made)) == [("a", {"E": 1}, 1), ("a", {"E": None}, 1)]


def test_several_functions_advance_together() -> None:
    made = engine(STREAM, "CREATE STREAM O AS SELECT ID, EXPLODE(A) AS X, EXPLODE(B) AS Y FROM L;")
    feed(made, [("L", "a", {"A": [1, 2, 3], "B": ["p"]}, 1)])
    assert [v for _, v, _ in plain(records(made))] == [
        {"X": 1, "Y": "p"},
        {"X": 2, "Y": None},
        {"X": 3, "Y": None},
    ]
