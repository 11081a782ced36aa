"""Session windows: growing, merging, tombstones, late rows, EMIT FINAL."""

from __future__ import annotations

from typing import Any

from tests.support.streaming import STREAM_L, engine, failures, feed, records

SELECT = "CREATE TABLE O AS SELECT ID, COUNT(*) AS N FROM L WINDOW SESSION ({}) GROUP BY ID {};"


def sessions(window: str, times: list[int], emit: str = "EMIT CHANGES") -> Any:
    made = engine(STREAM_L, SELECT.format(window, emit))
    feed(made, [("L", "a", {"V": 1}, t) for t in times])
    assert not failures(made)
    out = []
    for r in records(made):
        assert r.key is not None
        end, start = int.from_bytes(r.key[-16:-8], "big"), int.from_bytes(r.key[-8:], "big")
        assert r.timestamp == end
        out.append((start, end, None if r.value is None else int(r.value[5:-1])))
    return out


def test_a_session_grows_and_its_old_form_is_deleted() -> None:
    assert sessions("10 MILLISECONDS", [5, 12]) == [(5, 5, 1), (5, 5, None), (5, 12, 2)]


def test_the_gap_is_inclusive() -> None:
    assert sessions("10 MILLISECONDS", [5, 15, 26])[-1] == (26, 26, 1)


def test_the_gap_is_inclusive_backwards_too() -> None:
    assert sessions("10 MILLISECONDS", [20, 10])[-1] == (10, 20, 2)
    assert sessions("10 MILLISECONDS", [21, 10])[-1] == (10, 10, 1)


def test_a_row_between_merges_two_sessions() -> None:
    found = sessions("10 MILLISECONDS", [5, 20, 12])
    assert found == [(5, 5, 1), (20, 20, 1), (5, 5, None), (20, 20, None), (5, 20, 3)]


def test_a_second_row_at_the_same_time_replaces_without_tombstone() -> None:
    assert sessions("10 MILLISECONDS", [5, 5]) == [(5, 5, 1), (5, 5, 2)]


def test_late_rows_are_dropped_when_their_session_has_closed() -> None:
    window = "10 MILLISECONDS, GRACE PERIOD 5 MILLISECONDS"
    assert sessions(window, [100, 84]) == [(100, 100, 1)]
    assert sessions(window, [100, 85]) == [(100, 100, 1), (85, 85, 1)]


def test_final_emits_closed_sessions_once() -> None:
    window = "10 MILLISECONDS, GRACE PERIOD 0 MILLISECONDS"
    assert sessions(window, [5, 9, 19, 40, 41, 60], "EMIT FINAL") == [(5, 19, 3), (40, 41, 2)]


def test_having_deletes_only_what_was_there() -> None:
    made = engine(
        STREAM_L,
        "CREATE TABLE O AS SELECT ID, COUNT(*) AS N FROM L WINDOW SESSION (10 MILLISECONDS) GROUP BY ID "
        "HAVING COUNT(*) > 1;",
    )
    feed(made, [("L", "a", {"V": 1}, t) for t in (1, 2, 3)])
    assert [r.value for r in records(made)] == [b'{"N":2}', None, b'{"N":3}']
