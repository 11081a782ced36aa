"""Rows to regular series."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from forecasts.series import build_panel
from ksqlkit.errors import DataError

HOUR = 3_600_000


def rows(series: str, pairs: list[tuple[int, float | None]]) -> list[tuple[tuple[str], int, float | None]]:
    return [((series,), hour * HOUR, value) for hour, value in pairs]


def test_disorder_and_duplicates_end_in_order_with_the_last_value() -> None:
    panel = build_panel(rows("a", [(2, 3.0), (0, 1.0), (1, 9.0), (1, 2.0)]), step=None, gaps="interpolate")
    assert panel.step == HOUR
    assert panel.values.tolist() == [[1.0, 2.0, 3.0]]
    assert panel.ends == (2 * HOUR,)


def test_gaps_are_zero_or_a_straight_line() -> None:
    data = rows("a", [(0, 1.0), (1, 2.0), (4, 8.0), (5, None), (6, 10.0)])
    assert build_panel(data, step=HOUR, gaps="zero").values.tolist() == [[1, 2, 0, 0, 8, 0, 10]]
    assert build_panel(data, step=HOUR, gaps="interpolate").values.tolist() == [[1, 2, 4, 6, 8, 9, 10]]


def test_series_of_different_length_align_at_their_ends() -> None:
    panel = build_panel(
        [*rows("a", [(0, 1.0), (1, 2.0), (2, 3.0)]), *rows("b", [(7, 5.0), (8, 6.0)])], step=None, gaps="zero"
    )
    assert panel.lengths == (3, 2)
    assert np.isnan(panel.values[1, 0])
    assert panel.values[1, 1:].tolist() == [5.0, 6.0]
    assert panel.ends == (2 * HOUR, 8 * HOUR)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Sydney"])
def test_local_midnights_across_daylight_saving_are_one_step_each(zone: str) -> None:
    start = dt.date(2023, 1, 1)
    nights = [dt.datetime.combine(start + dt.timedelta(d), dt.time(), ZoneInfo(zone)) for d in range(365)]
    data = [(("a",), int(n.timestamp() * 1000), float(d)) for d, n in enumerate(nights)]
    panel = build_panel(data, step=None, gaps="interpolate")
    assert panel.step == 24 * HOUR
    assert panel.values.tolist() == [[float(d) for d in range(365)]]


def test_no_rows_and_absurd_times_are_errors() -> None:
    with pytest.raises(DataError, match="no rows"):
        build_panel([], step=HOUR, gaps="zero")
    with pytest.raises(DataError, match="spans"):
        build_panel(rows("a", [(0, 1.0), (10**8, 1.0)]), step=HOUR, gaps="zero")
    with pytest.raises(DataError, match="two points"):
        build_panel(rows("a", [(0, 1.0)]), step=None, gaps="zero")
