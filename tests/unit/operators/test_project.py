"""SELECT: expressions, failures, tombstones."""

from __future__ import annotations

from tests.support.streaming import STREAM_L, TABLE_L, TABLE_R, engine, errors, feed, plain, records, run


def test_a_failing_expression_is_null_and_the_others_stay() -> None:
    made = engine(STREAM_L, "CREATE STREAM O AS SELECT ID, 10 / V AS D, V + 1 AS P FROM L;")
    feed(made, [("L", "a", {"V": 0}, 1), ("L", "b", {"V": 5}, 2)])
    assert plain(records(made)) == [("a", {"D": None, "P": 1}, 1), ("b", {"D": 2, "P": 6}, 2)]
    (message,) = errors(made)
    assert message.startswith("Error computing expression (10 / V) for column D with index 0")


def test_renamed_key() -> None:
    out = run([STREAM_L, "CREATE STREAM O AS SELECT ID AS K, V FROM L;"], [("L", "a", {"V": 1}, 1)])
    assert out == [("a", {"V": 1}, 1)]


def test_table_rows_are_projected_old_and_new() -> None:
    statements = [
        TABLE_L,
        TABLE_R,
        "CREATE TABLE O AS SELECT L.ID, V * 2 AS V2, W FROM L LEFT JOIN R ON L.ID = R.ID WHERE V > 1;",
    ]
    out = run(statements, [("L", "a", {"V": 2}, 1), ("L", "a", {"V": 1}, 2), ("L", "a", {"V": 0}, 3)])
    assert out == [("a", {"V2": 4, "W": None}, 1), ("a", None, 2)]
