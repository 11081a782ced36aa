"""A forecast of one short series: seasonal shape, damped level by exponential smoothing, bounds from its own
errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_Z90: Final = 1.6448536269514722
_LEVELS: Final = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)


def forecast_series(
    history: Sequence[float | None], horizon: int, season: int
) -> list[tuple[float, float, float]]:
    """(mean, lo, hi) per step. Raises ValueError for fewer than two known values."""
    import numpy as np

    values = np.array(history, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(values))
    if known.size < 2:
        raise ValueError(f"a forecast needs at least 2 known values, not {known.size}")
    values = np.interp(np.arange(values.size), known, values[known])
    shape = np.zeros(values.size + horizon)
    if season > 1 and values.size >= 2 * season:
        periods = values.size // season
        recent = values[-periods * season :].reshape(periods, season)
        weight = 0.8 ** np.arange(periods)[::-1]
        pattern = np.average(recent - recent.mean(axis=1, keepdims=True), axis=0, weights=weight)
        shape = pattern[(np.arange(shape.size) - values.size) % season]
    flat = values - shape[: values.size]
    best_error, level, errors = np.inf, flat[-1], np.zeros(1)
    for alpha in _LEVELS:
        smooth = flat[0]
        misses = np.empty(flat.size - 1)
        for i in range(1, flat.size):
            misses[i - 1] = flat[i] - smooth
            smooth += alpha * misses[i - 1]
        error = float(np.mean(misses**2))
        if error < best_error:
            best_error, level, errors, chosen = error, smooth, misses, alpha
    steps = np.arange(1, horizon + 1)
    mean = level + shape[values.size :]
    width = _Z90 * float(np.std(errors)) * np.sqrt(1 + (steps - 1) * chosen**2)
    return list(zip(mean.tolist(), (mean - width).tolist(), (mean + width).tolist(), strict=True))
