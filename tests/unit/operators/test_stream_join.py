"""Joins of two streams: windows, grace, the null side, null keys."""

from __future__ import annotations

import pytest

from tests.support.streaming import STREAM_L, STREAM_R, Fed, Out, run

QUERY = "CREATE STREAM O AS SELECT ROWKEY AS K, V, W FROM L {} JOIN R WITHIN {} ON L.V = R.W;"
BY_KEY = "CREATE STREAM O AS SELECT L.ID AS ID, V, W FROM L {} JOIN R WITHIN {} ON L.ID = R.ID;"
LEFT: list[Fed] = [("L", "a", {"V": 1}, 100)]


def join(kind: str, within: str, rows: list[Fed]) -> list[Out]:
    key = "R.ID" if kind == "RIGHT" else "L.ID"
    query = BY_KEY.format(kind, within).replace("SELECT L.ID", f"SELECT {key}")
    if kind == "FULL OUTER":
        query = query.replace("SELECT L.ID AS ID", "SELECT ROWKEY AS ID")
    return run([STREAM_L, STREAM_R, query], rows)


def test_inner_takes_both_ends_of_the_window_and_the_later_time() -> None:
    rows: list[Fed] = [*LEFT, *(("R", "a", {"W": t}, t) for t in (89, 90, 110, 111))]
    assert join("INNER", "10 MILLISECONDS", rows) == [
        ("a", {"V": 1, "W": 90}, 100),
        ("a", {"V": 1, "W": 110}, 110),
    ]


def test_before_and_after_differ() -> None:
    rows: list[Fed] = [*LEFT, *(("R", "a", {"W": t}, t) for t in (95, 96, 120, 121))]
    found = join("INNER", "(4 MILLISECONDS, 20 MILLISECONDS)", rows)
    assert [v["W"] for _, v, _ in found if v] == [96, 120]


def test_matches_come_by_time_then_arrival() -> None:
    rows: list[Fed] = [("R", "a", {"W": w}, t) for w, t in ((1, 105), (2, 95), (3, 105))]
    assert [v["W"] for _, v, _ in join("INNER", "10 MILLISECONDS", [*rows, *LEFT]) if v] == [2, 1, 3]


def test_left_without_grace_emits_at_once() -> None:
    rows: list[Fed] = [*LEFT, ("R", "a", {"W": 2}, 101)]
    assert join("LEFT", "10 MILLISECONDS", rows) == [
        ("a", {"V": 1, "W": None}, 100),
        ("a", {"V": 1, "W": 2}, 101),
    ]


@pytest.mark.parametrize(("closing", "count"), [(115, 0), (116, 1)])
def test_left_with_grace_waits_until_the_window_has_closed(closing: int, count: int) -> None:
    rows: list[Fed] = [*LEFT, ("R", "z", {"W": 9}, closing)]
    found = join("LEFT", "10 MILLISECONDS GRACE PERIOD 5 MILLISECONDS", rows)
    assert found == [("a", {"V": 1, "W": None}, 100)] * count


def test_only_what_has_closed_comes_out() -> None:
    rows: list[Fed] = [*LEFT, ("L", "b", {"V": 2}, 101), ("R", "z", {"W": 9}, 116)]
    found = join("LEFT", "10 MILLISECONDS GRACE PERIOD 5 MILLISECONDS", rows)
    assert found == [("a", {"V": 1, "W": None}, 100)]


def test_a_partner_takes_a_waiting_record_away() -> None:
    rows: list[Fed] = [*LEFT, ("R", "a", {"W": 2}, 109), ("R", "z", {"W": 9}, 200)]
    found = join("LEFT", "10 MILLISECONDS GRACE PERIOD 5 MILLISECONDS", rows)
    assert found == [("a", {"V": 1, "W": 2}, 109)]


def test_full_emits_both_sides_by_time() -> None:
    rows: list[Fed] = [("R", "b", {"W": 2}, 101), *LEFT, ("L", "z", {"V": 9}, 300)]
    found = join("FULL OUTER", "10 MILLISECONDS GRACE PERIOD 0 MILLISECONDS", rows)
    assert found == [("a", {"V": 1, "W": None}, 100), ("b", {"V": None, "W": 2}, 101)]


def test_right_is_the_left_join_of_swapped_sides() -> None:
    rows: list[Fed] = [("R", "a", {"W": 1}, 100), ("L", "a", {"V": 2}, 90), ("R", "b", {"W": 3}, 200)]
    found = join("RIGHT", "10 MILLISECONDS GRACE PERIOD 0 MILLISECONDS", rows)
    assert found == [("a", {"V": 2, "W": 1}, 100)]


def test_rows_without_value_do_not_join_and_null_keys_stay_alone() -> None:
    rows: list[Fed] = [("L", "a", None, 100), ("L", None, {"V": 3}, 101), ("R", None, {"W": 4}, 101)]
    found = join("FULL OUTER", "10 MILLISECONDS GRACE PERIOD 0 MILLISECONDS", rows)
    assert found == [(None, {"V": 3, "W": None}, 101), (None, {"V": None, "W": 4}, 101)]
    assert join("INNER", "10 MILLISECONDS", rows) == []


def test_records_older_than_retention_are_gone() -> None:
    within = "10 MILLISECONDS GRACE PERIOD 0 MILLISECONDS"
    rows: list[Fed] = [("R", "a", {"W": 1}, 100), ("R", "a", {"W": 2}, 200), ("L", "a", {"V": 1}, 100)]
    assert join("INNER", within, rows) == []
