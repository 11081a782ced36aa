"""Forecasts of series given whole: the batched models of `forecasts`, chosen per series by their own past errors.

Every series is treated alone, whatever else is in the batch, so that a replay gives the same values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from forecasts.series import Matrix

# The naive forecast comes first: another model must beat it. A straight line comes last, and must do twice as well as
# the others: then the series is one, which models of growing numbers bend; on M4 it is hardly ever taken.
LINE: Final = "line"
MODELS: Final = ("seasonal_naive", "theta", "holt_winters", LINE)
MARGIN: Final = 2.0
LEVEL: Final = 90  # percent
FOLDS: Final = 4
_LARGEST: Final = 1e150  # squares of larger ones are infinite
_SHORTEST: Final = 4  # values to fit on in a fold

Band = list[tuple[float, float, float]]


def forecast_many(
    histories: Sequence[Sequence[float | None]], horizon: int, season: int, level: int = LEVEL
) -> list[Band | ValueError]:
    """(mean, lo, hi) per step for each series, `level` percent of what may come between the bounds; a
    ValueError in the place of one with fewer than two known values."""
    import numpy as np

    out: list[Band | ValueError] = [ValueError("")] * len(histories)
    by_length: dict[int, tuple[list[int], list[list[float]]]] = {}
    for row, history in enumerate(histories):
        values = np.array(history, dtype=np.float64)
        known = np.flatnonzero(np.isfinite(values))
        if known.size < 2:
            out[row] = ValueError(f"a forecast needs at least 2 known values, not {known.size}")
            continue
        if np.abs(values[known]).max() > _LARGEST:
            out[row] = ValueError(f"a value of the history is past {_LARGEST:g}")
            continue
        filled = np.interp(np.arange(known[0], values.size), known, values[known])
        rows, members = by_length.setdefault(filled.size, ([], []))
        rows.append(row)
        members.append(filled.tolist())
    for rows, members in by_length.values():
        mean, width = _forecast(np.array(members), horizon, season, level)
        for row, m, w in zip(rows, mean, width, strict=True):
            out[row] = list(zip(m.tolist(), (m - w).tolist(), (m + w).tolist(), strict=True))
    return out


def _forecast(values: Matrix, horizon: int, season: int, level: int) -> tuple[Matrix, Matrix]:
    """Means and half widths [series, horizon]: of each series the model with the least error on its last folds."""
    import numpy as np

    from forecasts.intervals import half_widths

    n = values.shape[1]
    ahead = max(1, min(horizon, n // (FOLDS + 1)))
    origins = [n - ahead - fold * max(1, ahead // 2) for fold in range(FOLDS)]
    origins = [at for at in origins if at >= min(_SHORTEST, n - 1)] or [n - 1]
    ahead = min(ahead, n - max(origins))
    misses = np.array(
        [
            [_run(name, values[:, :at], ahead, season) - values[:, at : at + ahead] for at in origins]
            for name in MODELS
        ]
    )
    size = np.abs(misses).mean(axis=(1, 3))
    size[MODELS.index(LINE)] *= MARGIN
    best = size.argmin(axis=0)
    mean = np.empty((len(values), horizon))
    width = np.empty_like(mean)
    for index, name in enumerate(MODELS):
        chosen = best == index
        if chosen.any():
            mean[chosen] = _run(name, values[chosen], horizon, season)
    # Past the steps that the folds reach, errors are taken to grow as those of a random walk.
    growth = np.sqrt(np.maximum(1.0, np.arange(1, horizon + 1) / ahead))
    for series, index in enumerate(best):
        known = half_widths(misses[index][:, series : series + 1], (level,))[level][0]
        width[series] = known[np.minimum(np.arange(horizon), ahead - 1)] * growth
    return mean, width


def _run(name: str, values: Matrix, horizon: int, season: int) -> Matrix:
    """The next steps [series, horizon] of one batched model, fitted to these values."""
    if name == LINE:
        return _line(values, horizon, season)
    from forecasts.models.base import find_model
    from forecasts.series import Panel

    count, length = values.shape
    panel = Panel(tuple((i,) for i in range(count)), values, (0,) * count, (length,) * count, 1)
    return find_model(name).fit(panel, horizon, (season,))(panel)


def _line(values: Matrix, horizon: int, season: int) -> Matrix:
    """The least-squares line of each series goes on, with the mean season around it where two are known."""
    import numpy as np

    width = values.shape[1]
    period = season if 1 < season <= width // 2 else 1
    cycles = values[:, width % period :].reshape(len(values), -1, period)
    count = cycles.shape[1]
    off = np.arange(count) - (count - 1) / 2
    rise = (off @ cycles).mean(1) / (off @ off or 1.0)  # from one cycle to the next
    steps = np.arange(horizon)
    made: Matrix = cycles.mean(1)[:, steps % period] + rise[:, None] * (steps // period + (count + 1) / 2)
    return made
