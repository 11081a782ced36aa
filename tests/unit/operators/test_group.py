"""GROUP BY: keys, nulls, tables with undo, several partitions."""

from __future__ import annotations

import pytest

from ksqlkit.engine.operators.group import regroup
from tests.support.streaming import STREAM_L, TABLE_L, engine, errors, feed, plain, records, run


def test_null_group_is_left_out() -> None:
    out = run(
        [STREAM_L, "CREATE TABLE O AS SELECT G, COUNT(*) AS N FROM L GROUP BY G;"],
        [("L", "a", {"V": 1}, 1), ("L", "a", {"G": "x"}, 2), ("L", None, {"G": "x"}, 3), ("L", "a", None, 4)],
    )
    assert out == [("x", {"N": 1}, 2), ("x", {"N": 2}, 3)]


def test_null_groups_are_reported_with_their_row() -> None:
    made = engine(STREAM_L, "CREATE TABLE O AS SELECT G, COUNT(*) AS N FROM L GROUP BY G;")
    feed(made, [("L", "a", {"V": 7}, 1)])
    (message,) = errors(made)
    assert message.startswith("Group-by column with index 0 resolved to null.")


def test_failing_group_is_left_out_and_reported() -> None:
    query = (
        "CREATE TABLE O WITH (key_format='JSON') AS SELECT 4 / V AS K, COUNT(*) AS N FROM L GROUP BY 4 / V;"
    )
    made = engine(STREAM_L, query)
    feed(made, [("L", "a", {"V": 0}, 1), ("L", "a", {"V": 2}, 2)])
    assert plain(records(made)) == [("2", {"N": 1}, 2)]
    assert "Error calculating group-by column with index 0" in errors(made)[0]


def test_table_change_moves_between_groups_old_first() -> None:
    out = run(
        [TABLE_L, "CREATE TABLE O AS SELECT G, COUNT(*) AS N, SUM(V) AS S FROM L GROUP BY G;"],
        [
            ("L", "a", {"V": 1, "G": "x"}, 10),
            ("L", "b", {"V": 2, "G": "x"}, 20),
            ("L", "a", {"V": 5, "G": "y"}, 5),
            ("L", "b", None, 30),
        ],
    )
    assert out == [
        ("x", {"N": 1, "S": 1}, 10),
        ("x", {"N": 2, "S": 3}, 20),
        ("x", {"N": 1, "S": 2}, 20),
        ("y", {"N": 1, "S": 5}, 5),
        ("x", {"N": 0, "S": 0}, 30),
    ]


def test_regroup_keeps_one_change_for_one_group() -> None:
    assert regroup((("x",), 2), (("x",), 1)) == ((("x",), 2, 1),)
    assert regroup((("y",), 2), (("x",), 1)) == ((("x",), None, 1), (("y",), 2, None))
    assert regroup(None, None) == ()


@pytest.mark.parametrize("statement", [STREAM_L, TABLE_L])
def test_several_partitions_give_the_same_groups(statement: str) -> None:
    rows = [("L", f"k{i % 7}", {"V": i, "G": f"g{i % 3}"}, i) for i in range(40)]
    query = "CREATE TABLE O AS SELECT G, COUNT(*) AS N, SUM(V) AS S FROM L GROUP BY G;"
    one, four = (run([statement, query], rows, partitions=n) for n in (1, 4))
    assert sorted(map(repr, one)) == sorted(map(repr, four))
