"""Autoregression per series by ridge regression, on recent lags and on those around each season.

The lags of a series that is long enough: the last season's and its neighbours, and one step about one, two and three
times each season. Forecasts are recursive, all series at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from forecasts.series import Panel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from forecasts.series import Matrix

RIDGE = 1e-3  # of the squared norm of a unit-variance regressor
SHORT = 24  # longest lag of the recent ones, where the first season is longer
WINDOW = 2_000  # steps that are learned from
LEAST = 2.5  # a lag needs so many times its length


@dataclass(slots=True)
class Autoregression:
    """`weights` [series, lag + 1], the constant last; a series' lags that are too long for it weigh 0."""

    horizon: int
    lags: NDArray[np.int64]
    weights: Matrix

    def __call__(self, history: Panel) -> Matrix:
        """Recursive forecasts [series, horizon]."""
        import numpy as np

        reach = int(self.lags.max())
        series, width = history.values.shape
        line = np.zeros((series, reach + self.horizon))
        seen = min(reach, width)
        line[:, reach - seen : reach] = np.nan_to_num(history.values[:, -seen:])
        for step in range(self.horizon):
            at = reach + step
            value = (line[:, at - self.lags] * self.weights[:, :-1]).sum(1) + self.weights[:, -1]
            line[:, at] = np.clip(value, -50.0, 50.0)  # in standard deviations: no explosion
        return line[:, reach:]


def fit(panel: Panel, horizon: int, seasons: tuple[int, ...]) -> Autoregression:
    """One ridge regression a series."""
    import numpy as np

    recent = range(1, min(seasons[0] if seasons[0] > 1 else SHORT, SHORT) + 3)
    around = (s * k + d for s in seasons if s > 1 for k in (1, 2, 3) for d in (-1, 0, 1))
    longest = max(panel.lengths) / LEAST
    lags = np.array(sorted({lag for lag in (*recent, *around) if lag <= max(longest, 1)}))
    weights = np.zeros((len(panel.ids), len(lags) + 1))
    for i, length in enumerate(panel.lengths):
        line = panel.values[i, -min(length, WINDOW + int(lags[-1])) :]
        line = line[np.isfinite(line)]
        mine = lags[lags <= len(line) / LEAST]
        if not len(mine):
            weights[i, -1] = line[-1] if len(line) else 0.0
            continue
        windows = np.lib.stride_tricks.sliding_window_view(line, int(mine[-1]) + 1)
        columns = np.concatenate([windows[:, -1 - mine], np.ones((len(windows), 1))], axis=1)
        gram = columns.T @ columns
        gram[np.diag_indices(len(gram))] += RIDGE * len(windows)
        solved = np.linalg.solve(gram, columns.T @ windows[:, -1])
        weights[i, : len(mine)], weights[i, -1] = solved[:-1], solved[-1]
    return Autoregression(horizon, lags, weights)
