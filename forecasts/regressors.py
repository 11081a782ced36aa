"""What is known besides the series: the calendar, source columns known ahead, and others as they were a horizon ago.

Each becomes one matrix [series, time + horizon] beside a panel's values. A source column is known ahead as far as rows
without a value go on after the last one with it; past that, and in gaps, its last value counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from forecasts.series import Panel
from forecasts.spec import Spec

if TYPE_CHECKING:
    from forecasts.series import Matrix

_DAY, _HOUR = 86_400_000, 3_600_000
# (series, time in milliseconds, values of the regressors and lagged columns)
Observed = Iterable[tuple[tuple[Any, ...], int, tuple[float | None, ...]]]


def with_regressors(panel: Panel, spec: Spec, observed: Observed) -> Panel:
    """The panel with what the spec names."""
    import numpy as np

    width = panel.values.shape[1]
    at = np.arange(1 - width, spec.horizon + 1)
    times = np.asarray(panel.ends)[:, None] + at * panel.step
    known = [_calendar(times, name) for name in spec.calendar]
    count = len(spec.regressors) + len(spec.lagged)
    if count:
        grids = np.full((count, len(panel.ids), width + spec.horizon), np.nan)
        place = {series: i for i, series in enumerate(panel.ids)}
        for series, time, values in observed:
            i = place.get(series)
            if i is None:
                continue
            slot = width - 1 + (time - panel.ends[i]) // panel.step
            if 0 <= slot < grids.shape[2]:
                grids[:, i, slot] = [np.nan if v is None else v for v in values]
        for k in range(count):
            grid = grids[k]
            if k >= len(spec.regressors):
                grid[:, spec.horizon :] = grid[:, :width].copy()
                grid[:, : spec.horizon] = np.nan
            known.append(_settle(grid))
    return replace(panel, known=tuple(known))


def _calendar(times: Any, name: str) -> Matrix:
    import numpy as np

    day = times // _DAY
    weekday = (day + 3) % 7  # 1970 began on a Thursday
    if name == "month":
        month: Matrix = times.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64) % 12 / 11.0
        return month
    found = {"hour": times // _HOUR % 24 / 23.0, "weekday": weekday / 6.0, "weekend": (weekday >= 5) * 1.0}
    result: Matrix = found[name]
    return result


def _settle(grid: Matrix) -> Matrix:
    """Gaps take the value before, or the first one after; then units of the column's own spread."""
    import numpy as np

    known = np.isfinite(grid)
    before = np.maximum.accumulate(np.where(known, np.arange(grid.shape[1]), -1), axis=1)
    first = np.where(known.any(1), known.argmax(1), 0)
    filled = np.take_along_axis(grid, np.where(before >= 0, before, first[:, None]), axis=1)
    filled = np.nan_to_num(filled)
    spread = filled.std()
    result: Matrix = (filled - filled.mean()) / (spread if spread > 0 else 1.0)
    return result
