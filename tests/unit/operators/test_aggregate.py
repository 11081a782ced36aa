"""Aggregates without a window."""

from __future__ import annotations

from tests.support.streaming import STREAM_L, TABLE_L, engine, errors, failures, feed, plain, records, run

COUNT_SUM = "CREATE TABLE O AS SELECT ID, COUNT(*) AS N, SUM(V) AS S FROM L GROUP BY ID;"


def test_time_is_the_latest_of_the_group() -> None:
    out = run([STREAM_L, COUNT_SUM], [("L", "a", {"V": v}, t) for v, t in ((1, 30), (2, 10), (4, 40))])
    assert out == [("a", {"N": 1, "S": 1}, 30), ("a", {"N": 2, "S": 3}, 30), ("a", {"N": 3, "S": 7}, 40)]


def test_records_without_key_or_value_do_not_count() -> None:
    out = run([STREAM_L, COUNT_SUM], [("L", None, {"V": 1}, 1), ("L", "a", None, 2), ("L", "a", {}, 3)])
    assert out == [("a", {"N": 1, "S": 0}, 3)]


def test_an_argument_that_fails_is_null_and_reported() -> None:
    made = engine(STREAM_L, "CREATE TABLE O AS SELECT ID, COUNT(*) AS N, SUM(6 / V) AS S FROM L GROUP BY ID;")
    feed(made, [("L", "a", {"V": 2}, 1), ("L", "a", {"V": 0}, 2)])
    assert plain(records(made)) == [("a", {"N": 1, "S": 3}, 1), ("a", {"N": 2, "S": 3}, 2)]
    assert errors(made)[0].startswith("Error computing expression (6 / V)")


def test_an_aggregate_that_fails_stops_the_query() -> None:
    source = STREAM_L.replace("V INT", "V DECIMAL(2, 1)")
    made = engine(source, "CREATE TABLE O AS SELECT ID, SUM(V) AS S FROM L GROUP BY ID;")
    feed(made, [("L", "a", {"V": 9.9}, 1), ("L", "a", {"V": 9.9}, 2)])
    assert len(records(made)) == 1
    assert len(failures(made)) == 1


def test_states_that_are_not_the_result() -> None:
    query = (
        "CREATE TABLE O AS SELECT ID, AVG(V) AS A, COLLECT_LIST(V) AS C, TOPK(V, 2) AS T FROM L GROUP BY ID;"
    )
    out = run([STREAM_L, query], [("L", "a", {"V": v}, v) for v in (1, 4, 2)])
    assert out[-1] == ("a", {"A": 7 / 3, "C": [1, 4, 2], "T": [4, 2]}, 4)


def test_an_old_row_that_never_matched_having_gives_no_tombstone() -> None:
    query = "CREATE TABLE O AS SELECT ID, COUNT(*) AS N FROM L GROUP BY ID HAVING COUNT(*) = 2;"
    out = run([STREAM_L, query], [("L", "a", {"V": 1}, t) for t in (1, 2, 3, 4)])
    assert out == [("a", {"N": 2}, 2), ("a", None, 3)]


def test_table_updates_within_a_group_are_one_change() -> None:
    query = "CREATE TABLE O AS SELECT G, SUM(V) AS S, COUNT(*) AS N FROM L GROUP BY G;"
    rows = [("L", "a", {"V": 1, "G": "x"}, 1), ("L", "a", {"V": 9, "G": "x"}, 2), ("L", "z", None, 3)]
    assert run([TABLE_L, query], rows) == [("x", {"S": 1, "N": 1}, 1), ("x", {"S": 9, "N": 1}, 2)]
