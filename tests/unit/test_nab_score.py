"""The Numenta Anomaly Benchmark's score, on streams small enough to add up by hand."""

from __future__ import annotations

import math

import pytest

from benchmarks.accuracy.nab import FALSE_POSITIVE, NO_ALARM, Stream, nab_score

ROWS = 100  # of which the first 15 are not counted


def stream(*windows: tuple[int, int]) -> Stream:
    return Stream("s", list(range(ROWS)), [0.0] * ROWS, list(windows))


def scores(**at: float) -> list[float]:
    """Of all rows; `r20=0.9` is the score of row 20, others are 0."""
    return [at.get(f"r{row}", 0.0) for row in range(ROWS)]


def sigmoid(position: float) -> float:
    return 2.0 / (1.0 + math.exp(5.0 * position)) - 1.0


def test_an_alarm_at_the_start_of_the_window_is_all_there_is_to_win() -> None:
    assert nab_score([stream((40, 49))], [scores(r40=0.9)]) == (pytest.approx(100.0), 0.9)


def test_no_alarm_is_the_zero_and_what_a_false_one_is_worse_than() -> None:
    assert nab_score([stream((40, 49))], [scores()]) == (0.0, NO_ALARM)
    lost = 100.0 * FALSE_POSITIVE / 2.0
    assert nab_score([stream((40, 49))], [scores(r20=0.9)], 0.5)[0] == pytest.approx(-lost)
    assert nab_score([stream((40, 49))], [scores(r20=0.9)]) == (0.0, NO_ALARM)


def test_the_earliest_alarm_of_a_window_counts_and_the_one_after_costs_by_its_distance() -> None:
    given = scores(r44=0.8, r48=0.9, r52=0.7)
    hit = sigmoid(-6 / 10) / sigmoid(-1.0)
    late = FALSE_POSITIVE * sigmoid((52 - 49) / 9)
    assert nab_score([stream((40, 49))], [given], 0.8)[0] == pytest.approx(100.0 * (hit + 1.0) / 2.0)
    assert nab_score([stream((40, 49))], [given], 0.7)[0] == pytest.approx(100.0 * (hit + late + 1.0) / 2.0)


def test_what_lies_in_the_uncounted_start_is_neither_hit_nor_missed() -> None:
    both = [stream((2, 8), (40, 49))]
    assert nab_score(both, [scores(r2=0.9)], 0.5)[0] == pytest.approx(0.0)
    # One of two windows can be won: a hit instead of a miss, of three that lie between silence and perfection.
    assert nab_score(both, [scores(r40=0.9)])[0] == pytest.approx(100.0 * 2.0 / 3.0)


def test_one_threshold_serves_all_streams() -> None:
    calm, event = stream(), stream((40, 49))
    given = [scores(r20=0.8, r30=0.8), scores(r40=0.6)]
    value, threshold = nab_score([calm, event], given)
    assert threshold == 0.6
    assert value == pytest.approx(100.0 * (2.0 - 2.0 * FALSE_POSITIVE) / 2.0)
