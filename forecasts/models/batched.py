"""Classical models for many series at once, in numpy: loops run over time, arithmetic over series.

Values are [series, time]; NaN stands before a series begins. Results are [series, horizon] and always finite.
Sources: Hyndman and Athanasopoulos, "Forecasting: Principles and Practice" (3rd ed.), chapters 5 and 8; Theta:
Assimakopoulos and Nikolopoulos (2000) in the form of Hyndman and Billah (2003).
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]


def seasonal_naive(values: Matrix, horizon: int, season: int = 1) -> Matrix:
    """The last season again. A series shorter than a season repeats its last value."""
    import numpy as np

    filled = _left_fill(values)
    season = max(1, min(season, filled.shape[1]))
    last = filled[:, -season:]
    return np.tile(last, (1, -(-horizon // season)))[:, :horizon]


def theta(values: Matrix, horizon: int, season: int = 1) -> Matrix:
    """Theta: seasonally adjusted simple exponential smoothing with half the linear trend as drift."""
    import numpy as np

    filled = _left_fill(values)
    indices, adjusted = _seasonal_indices(filled, season)
    n = adjusted.shape[1]
    time = np.arange(n)
    slope = ((adjusted - adjusted.mean(1, keepdims=True)) * (time - time.mean())).sum(1) / max(
        ((time - time.mean()) ** 2).sum(), 1.0
    )
    best_error = np.full(len(adjusted), np.inf)
    best_level = adjusted[:, -1].copy()
    best_alpha = np.ones(len(adjusted))
    for alpha in (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9):
        level, error = _smooth(adjusted, alpha)
        better = error < best_error
        best_error = np.where(better, error, best_error)
        best_level = np.where(better, level, best_level)
        best_alpha = np.where(better, alpha, best_alpha)
    steps = np.arange(1, horizon + 1)
    fade = (1 - (1 - best_alpha) ** n) / best_alpha
    drift = 0.5 * slope[:, None] * (steps - 1 + fade[:, None])
    return _restore(best_level[:, None] + drift, indices, n, horizon, season)


def holt_winters(values: Matrix, horizon: int, season: int = 1) -> Matrix:
    """Additive damped Holt-Winters; parameters by grid over the admissible region, one choice per series.

    The grid replaces an optimiser: all candidates of all series run through time together.
    """
    import numpy as np

    filled = _left_fill(values)
    n = filled.shape[1]
    if n < 2 * season + 2:
        season = 1
    grid = np.array(
        list(product((0.05, 0.2, 0.5), (0.0, 0.05), (0.05, 0.2) if season > 1 else (0.0,), (0.9, 0.98)))
    )
    series, candidates = len(filled), len(grid)
    alpha, beta, gamma, phi = (np.tile(grid[:, i], series).reshape(series, candidates) for i in range(4))
    start = filled[:, : max(season, 2)]
    level = np.repeat(start.mean(1)[:, None], candidates, axis=1)
    trend = np.zeros_like(level)
    seasonal = np.repeat((filled[:, :season] - start.mean(1)[:, None])[:, None, :], candidates, axis=1)
    if season == 1:
        seasonal = np.zeros_like(seasonal)
    error = np.zeros_like(level)
    burn = min(season, n // 2)
    for t in range(n):
        slot = t % season
        observed = filled[:, t, None]
        damped = phi * trend
        season_now = seasonal[:, :, slot]
        miss = observed - (level + damped + season_now)
        if t >= burn:
            error += np.abs(miss)
        level = level + damped + alpha * miss
        trend = damped + beta * alpha * miss
        seasonal[:, :, slot] = season_now + gamma * (1 - alpha) * miss
    pick = error.argmin(1)
    rows = np.arange(series)
    steps = np.arange(1, horizon + 1)
    damping = np.cumsum(phi[rows, pick][:, None] ** steps, axis=1)
    slots = (n + steps - 1) % season
    ahead: Matrix = level[rows, pick][:, None] + damping * trend[rows, pick][:, None]
    result: Matrix = ahead + seasonal[rows, pick][:, slots]
    return result


def _left_fill(values: Matrix) -> Matrix:
    """Put a series' first value before its beginning, so that all have one length."""
    import numpy as np

    known = np.isfinite(values)
    first = np.where(known.any(1), known.argmax(1), 0)
    lead = np.where(
        np.isfinite(values[np.arange(len(values)), first]), values[np.arange(len(values)), first], 0.0
    )
    return np.where(known, values, lead[:, None])


def _smooth(values: Matrix, alpha: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Last level and summed squared one-step error of simple exponential smoothing."""
    import numpy as np

    level = values[:, 0].copy()
    error = np.zeros(len(values))
    for t in range(1, values.shape[1]):
        miss = values[:, t] - level
        error += miss * miss
        level += alpha * miss
    return level, error


def _seasonal_indices(values: Matrix, season: int) -> tuple[Matrix, Matrix]:
    """Additive seasonal indices by position in time (t % season), summing to 0, and the adjusted values."""
    import numpy as np

    n = values.shape[1]
    if season <= 1 or n < 2 * season:
        return np.zeros((len(values), max(season, 1))), values
    # Centred moving average over one season, then the mean distance from it by position.
    kernel = np.ones(season) / season if season % 2 else np.r_[0.5, np.ones(season - 1), 0.5] / season
    half = len(kernel) // 2
    sums = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    if season % 2:
        trend = (sums[:, season:] - sums[:, :-season]) / season
    else:
        flat = (sums[:, season:] - sums[:, :-season]) / season
        trend = (flat[:, 1:] + flat[:, :-1]) / 2
    middle = values[:, half : half + trend.shape[1]] - trend
    at = (np.arange(half, half + trend.shape[1])) % season
    indices = np.stack([middle[:, at == s].mean(1) for s in range(season)], axis=1)
    indices -= indices.mean(1, keepdims=True)
    return indices, values - indices[:, np.arange(n) % season]


def _restore(forecast: Matrix, indices: Matrix, n: int, horizon: int, season: int) -> Matrix:
    import numpy as np

    if indices.shape[1] <= 1:
        return forecast
    slots = (n + np.arange(horizon)) % season
    restored: Matrix = forecast + indices[:, slots]
    return restored
