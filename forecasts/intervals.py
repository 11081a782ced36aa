"""Prediction intervals from the backtest's residuals (split conformal, by step).

For step j the interval is the forecast plus and minus the (1 - alpha)(1 + 1/n) quantile of the absolute residuals of
steps near j, in units of each series' own error; so it needs no distribution and covers what it says on data like
the folds. Source: Lei et al., "Distribution-free predictive inference for regression" (2018).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from forecasts.series import Matrix

NEIGHBOURS = 0.1  # share of the horizon on each side that lends its residuals


def half_widths(residuals: NDArray[np.float64], levels: tuple[int, ...]) -> dict[int, Matrix]:
    """Half widths [series, step] by level from residuals [fold, series, step]; wider for higher levels."""
    import numpy as np

    _folds, series, horizon = residuals.shape
    size = np.abs(residuals).mean(axis=(0, 2))
    size = np.where(size > 0, size, 1.0)
    scaled = np.abs(residuals) / size[None, :, None]
    reach = max(1, round(horizon * NEIGHBOURS))
    widths = {}
    floor = np.zeros((series, horizon))
    for level in sorted(levels):
        quantile = np.empty(horizon)
        for step in range(horizon):
            pool = scaled[:, :, max(0, step - reach) : step + reach + 1].ravel()
            rank = min(1.0, level / 100 * (1 + 1 / len(pool)))
            quantile[step] = np.quantile(pool, rank, method="higher")
        floor = np.maximum(floor, quantile[None, :] * size[:, None])
        widths[level] = floor
    return widths
