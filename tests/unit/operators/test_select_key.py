"""PARTITION BY: null keys, failures, several columns, tasks."""

from __future__ import annotations

import pytest

from tests.support.streaming import STREAM_L, engine, errors, feed, plain, records, run


def test_null_keys_stay() -> None:
    out = run(
        [STREAM_L, "CREATE STREAM O AS SELECT * FROM L PARTITION BY G;"],
        [("L", "a", {"V": 1, "G": "x"}, 1), ("L", "b", {"V": 2}, 2), ("L", "c", None, 3)],
    )
    assert out == [("x", {"V": 1, "ID": "a"}, 1), (None, {"V": 2, "ID": "b"}, 2), (None, None, 3)]


def test_key_expression_of_a_record_without_value() -> None:
    out = run(
        [STREAM_L, "CREATE STREAM O AS SELECT * FROM L PARTITION BY UCASE(ID);"],
        [("L", "a", None, 1), ("L", "b", {"V": 1}, 2)],
    )
    assert [(k, t) for k, _, t in out] == [("A", 1), ("B", 2)]


def test_failing_key_is_null_and_reported() -> None:
    made = engine(
        STREAM_L, "CREATE STREAM O WITH (key_format='JSON') AS SELECT * FROM L PARTITION BY 10 / V;"
    )
    feed(made, [("L", "a", {"V": 0}, 1), ("L", "a", {"V": 5}, 2)])
    assert [k for k, _, _ in plain(records(made))] == [None, "2"]
    assert errors(made)[0].startswith("Error computing new key from expression")


@pytest.mark.parametrize("partitions", [1, 3])
def test_rows_go_to_the_partition_of_their_new_key(partitions: int) -> None:
    made = engine(
        STREAM_L, f"CREATE STREAM O WITH (partitions={partitions}) AS SELECT * FROM L PARTITION BY G;"
    )
    feed(made, [("L", "a", {"V": i, "G": f"g{i % 4}"}, i) for i in range(12)])
    places = {}
    for p in range(partitions):
        for r in made.read("O", p, 0, 100):
            assert places.setdefault(r.key, p) == p
    assert len(places) == 4
