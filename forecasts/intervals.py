"""Prediction intervals from the backtest's residuals (split conformal, by step).

Residuals are taken where the series' noise is even (see `transform`) and divided by the series' own mean; for step
j the half width is then a quantile of those of all series at the steps around j. It needs no distribution and covers
what it says on data like the folds. Source: Lei et al., "Distribution-free predictive inference for regression" (2018).

What comes is seldom quite like the folds, so published bands are led by their own record: after each horizon that has
come, a level's widths are stretched where too little of it was inside and shrunk where too much, in logarithms. Over n
horizons the share inside is then off by no more than the change of the stretch divided by n and the gain, whatever the
data do. Source: Angelopoulos, Candes and Tibshirani, "Conformal PID control for time series prediction" (2023).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from forecasts.transform import Transform

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from forecasts.series import Matrix

NEIGHBOURS = 0.1  # share of the horizon on each side that lends its residuals
GAIN = 0.125  # of the stretch, divided by the variance of being inside: what one horizon all inside or outside moves
FARTHEST = 2.0  # a stretch goes no farther, either way


@dataclass(frozen=True, slots=True)
class Bands:
    """Half widths [series, step] by level, on the scale of `transform`."""

    transform: Transform
    widths: dict[int, Matrix]

    def around(self, mean: Matrix) -> dict[int, tuple[Matrix, Matrix]]:
        """Low and high [series, step] by level around forecasts; steps beyond the folds' are as wide as the last."""
        import numpy as np

        bounds = {}
        centre = self.transform.forward(mean)
        for level, width in self.widths.items():
            steps = np.minimum(np.arange(mean.shape[1]), width.shape[1] - 1)
            low, high = (self.transform.free(centre + side * width[:, steps]) for side in (-1, 1))
            bounds[level] = np.minimum(low, mean), np.maximum(high, mean)
        return bounds

    def stretched(self, stretch: Mapping[int, float]) -> Bands:
        """Bands whose widths by level are changed by exp(stretch); those of a higher level stay the wider ones."""
        import numpy as np

        widths: dict[int, Matrix] = {}
        for level in sorted(self.widths):
            width = self.widths[level] * np.exp(stretch.get(level, 0.0))
            widths[level] = np.maximum(width, list(widths.values())[-1]) if widths else width
        return replace(self, widths=widths)

    def covered(self, forecasts: NDArray[np.float64], actuals: NDArray[np.float64]) -> dict[int, float]:
        """Percent of values within their band by level, over folds [fold, series, step]."""
        import numpy as np

        inside: dict[int, list[float]] = {level: [] for level in self.widths}
        for forecast, actual in zip(forecasts, actuals, strict=True):
            for level, (low, high) in self.around(forecast).items():
                inside[level].append(float(((low <= actual) & (actual <= high)).mean()))
        return {level: 100 * float(np.mean(shares)) for level, shares in inside.items()}


def track(
    stretch: Mapping[int, float], covered: Mapping[int, float], horizons: float = 1.0
) -> dict[int, float]:
    """The next stretch by level, after so many horizons (or a part of one) of which `covered` percent was inside."""
    found = {}
    for level, inside in covered.items():
        share = level / 100
        moved = GAIN * horizons / (share * (1 - share)) * (share - inside / 100)
        found[level] = min(max(stretch.get(level, 0.0) + moved, -FARTHEST), FARTHEST)
    return found


def make_bands(
    values: Matrix, forecasts: NDArray[np.float64], actuals: NDArray[np.float64], levels: tuple[int, ...]
) -> Bands:
    """Bands from folds [fold, series, step] of series whose histories are `values` [series, time]."""
    import numpy as np

    transform = Transform.fit(values)
    residuals = np.stack(
        [transform.forward(a) - transform.forward(f) for a, f in zip(actuals, forecasts, strict=True)]
    )
    return Bands(transform, half_widths(residuals, levels))


def half_widths(residuals: NDArray[np.float64], levels: tuple[int, ...]) -> dict[int, Matrix]:
    """Half widths [series, step] by level from residuals [fold, series, step]; wider for higher levels."""
    import numpy as np

    _folds, series, horizon = residuals.shape
    size = np.abs(residuals).mean(axis=(0, 2))
    scaled = np.abs(residuals) / np.where(size > 0, size, 1.0)[None, :, None]
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
