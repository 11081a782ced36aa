"""The last season again: the floor under every other model, and the base of the boosting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from forecasts.series import Panel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from forecasts.series import Matrix


@dataclass(slots=True)
class SeasonalNaive:
    """`periods` [series]: how many last steps a series repeats."""

    horizon: int
    periods: NDArray[np.int64]

    def __call__(self, history: Panel) -> Matrix:
        """Repeat the end of the history; where it is too short for that, its last value."""
        import numpy as np

        width = history.values.shape[1]
        steps = np.arange(self.horizon)
        index = width + steps - (steps // self.periods[:, None] + 1) * self.periods[:, None]
        found = np.take_along_axis(history.values, np.maximum(index, 0), axis=1)
        return np.where((index >= 0) & np.isfinite(found), found, history.values[:, -1:])


def fit(panel: Panel, horizon: int, seasons: tuple[int, ...]) -> SeasonalNaive:
    """Per series the period (a season, or one step) whose repetition missed the panel's last horizons by least."""
    import numpy as np

    periods = (*(s for s in seasons if s > 1), 1)
    return SeasonalNaive(horizon, np.asarray(periods)[choose_base(panel.values, horizon, periods)])


def choose_base(values: Matrix, horizon: int, periods: tuple[int, ...]) -> NDArray[np.int64]:
    """Per series the index of the period whose repetition missed the last horizons by least."""
    import numpy as np

    width = values.shape[1]
    steps = np.arange(horizon)
    origins = np.arange(width - horizon, max(width - 7 * horizon, horizon) - 1, -horizon)
    misses = []
    for period in periods:
        at = origins[:, None] + steps
        back = at - (steps // period + 1) * period
        miss = np.abs(values[:, at] - np.where(back >= 0, values[:, np.maximum(back, 0)], np.nan))
        known = np.isfinite(miss)
        total = np.where(known, miss, 0.0).sum((1, 2)) / np.maximum(known.sum((1, 2)), 1)
        misses.append(np.where(known.any((1, 2)), total, np.inf))
    found: NDArray[np.int64] = np.stack(misses).argmin(0)
    return found
