"""WHERE and HAVING on streams and tables."""

from __future__ import annotations

from tests.support.streaming import STREAM_L, TABLE_L, engine, errors, feed, plain, records, run


def test_stream_keeps_what_matches_and_drops_null_rows() -> None:
    out = run(
        [STREAM_L, "CREATE STREAM O AS SELECT ID, V FROM L WHERE V > 1;"],
        [("L", "a", {"V": 1}, 1), ("L", "b", {"V": 2}, 2), ("L", "c", None, 3), ("L", "d", {}, 4)],
    )
    assert out == [("b", {"V": 2}, 2)]


def test_failing_predicate_drops_the_row_and_is_reported() -> None:
    made = engine(STREAM_L, "CREATE STREAM O AS SELECT ID, V FROM L WHERE 1 / V > 0;")
    feed(made, [("L", "a", {"V": 0}, 1), ("L", "b", {"V": 1}, 2)])
    assert [k for k, _, _ in plain(records(made))] == ["b"]
    assert errors(made)[0].startswith("Error evaluating predicate")


def test_table_row_that_stops_matching_becomes_a_tombstone_once() -> None:
    rows = [
        ("L", "a", {"V": 0}, 1),
        ("L", "a", {"V": 5}, 2),
        ("L", "a", {"V": 0}, 3),
        ("L", "a", {"V": 1}, 4),
    ]
    out = run([TABLE_L, "CREATE TABLE O AS SELECT ID, V FROM L WHERE V > 3;"], [*rows, ("L", "a", None, 5)])
    assert out == [("a", {"V": 5}, 2), ("a", None, 3)]


def test_having_takes_a_group_away() -> None:
    out = run(
        [STREAM_L, "CREATE TABLE O AS SELECT G, COUNT(*) AS N FROM L GROUP BY G HAVING COUNT(*) < 3;"],
        [("L", "a", {"G": "x"}, t) for t in range(1, 5)],
    )
    assert out == [("x", {"N": 1}, 1), ("x", {"N": 2}, 2), ("x", None, 3)]
