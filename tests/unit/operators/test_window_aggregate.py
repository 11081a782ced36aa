"""Tumbling and hopping windows: boundaries, late rows, EMIT FINAL."""

from __future__ import annotations

from typing import Any

from tests.support.streaming import STREAM_L, engine, failures, feed, records, windowed

SELECT = "CREATE TABLE O AS SELECT ID, COUNT(*) AS N FROM L WINDOW {} GROUP BY ID {};"


def counts(window: str, times: list[int], emit: str = "EMIT CHANGES", *, each: bool = True) -> Any:
    made = engine(STREAM_L, SELECT.format(window, emit))
    feed(made, [("L", "a", {"V": 1}, t) for t in times], each=each)
    assert not failures(made)
    return [(start, value["N"], time) for _, start, value, time in windowed(records(made))]


def test_start_is_inclusive_and_end_exclusive() -> None:
    found = counts("TUMBLING (SIZE 10 MILLISECONDS)", [0, 9, 10, 19, 20])
    assert found == [(0, 1, 0), (0, 2, 9), (10, 1, 10), (10, 2, 19), (20, 1, 20)]


def test_late_rows_count_until_grace_has_passed() -> None:
    window = "TUMBLING (SIZE 10 MILLISECONDS, GRACE PERIOD 5 MILLISECONDS)"
    assert counts(window, [3, 14, 4, 15, 5]) == [(0, 1, 3), (10, 1, 14), (0, 2, 4), (10, 2, 15)]


def test_hopping_windows_overlap() -> None:
    found = counts("HOPPING (SIZE 10 MILLISECONDS, ADVANCE BY 5 MILLISECONDS)", [7, 12])
    assert found == [(0, 1, 7), (5, 1, 7), (5, 2, 12), (10, 1, 12)]


def test_hopping_window_that_has_closed_takes_no_row_but_the_others_do() -> None:
    window = "HOPPING (SIZE 10 MILLISECONDS, ADVANCE BY 5 MILLISECONDS, GRACE PERIOD 0 MILLISECONDS)"
    assert counts(window, [12, 8]) == [(5, 1, 12), (10, 1, 12), (5, 2, 12)]


def test_final_emits_once_when_the_window_closes() -> None:
    window = "TUMBLING (SIZE 10 MILLISECONDS, GRACE PERIOD 2 MILLISECONDS)"
    found = counts(window, [1, 3, 11, 2, 12, 25], "EMIT FINAL")
    assert found == [(0, 3, 3), (10, 2, 12)]


def test_final_orders_by_window_then_by_key() -> None:
    made = engine(
        STREAM_L, SELECT.format("TUMBLING (SIZE 10 MILLISECONDS, GRACE PERIOD 0 MILLISECONDS)", "EMIT FINAL")
    )
    feed(made, [("L", k, {"V": 1}, t) for k, t in (("c", 11), ("a", 12), ("b", 13), ("z", 20))])
    assert [k for k, *_ in windowed(records(made))] == ["a", "b", "c"]


def test_final_loses_windows_that_retention_passes_in_one_step() -> None:
    """As in Kafka Streams: the store drops them before they could be emitted."""
    window = "TUMBLING (SIZE 10 MILLISECONDS, GRACE PERIOD 0 MILLISECONDS)"
    assert counts(window, [1, 35, 46], "EMIT FINAL") == [(30, 1, 35)]


def test_window_bounds_are_columns() -> None:
    query = "CREATE TABLE O AS SELECT ID, WINDOWSTART AS A, WINDOWEND AS B, COUNT(*) AS N FROM L "
    made = engine(STREAM_L, query + "WINDOW TUMBLING (SIZE 10 MILLISECONDS) GROUP BY ID;")
    feed(made, [("L", "a", {"V": 1}, 25)])
    assert windowed(records(made)) == [("a", 20, {"A": 20, "B": 30, "N": 1}, 25)]
