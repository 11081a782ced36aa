"""Totals and parts that add up: totals are forecast like any series, then all are reconciled (MinTrace).

The series columns are levels, the general one first: with REGION and SHOP there are the shops, each region ("north",
"*") and the whole ("*", "*"). Reconciled forecasts are S (S' W^-1 S)^-1 S' W^-1 of the base forecasts, S summing parts
into totals and W the covariance of the backtest's errors, its correlations shrunk. Sources: Wickramasuriya,
Athanasopoulos and Hyndman, "Optimal forecast reconciliation through trace minimization" (2019); Schafer and Strimmer,
"A shrinkage approach to large-scale covariance matrix estimation" (2005).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from forecasts.series import Panel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from forecasts.series import Matrix

ALL = "*"
LARGEST = 1_000  # series of which a covariance is made; of more, variances alone count


def add_totals(panel: Panel, gaps: str) -> Panel:
    """The panel with its totals behind its series. Series that end before the others are led on, by 0 or by their last
    value as `gaps` says, so that all end together; before a series begins it adds nothing."""
    import numpy as np

    end = max(panel.ends)
    width = max(n + (end - e) // panel.step for n, e in zip(panel.lengths, panel.ends, strict=True))
    values = np.full((len(panel.ids), width), np.nan)
    for row, line, length, last in zip(values, panel.values, panel.lengths, panel.ends, strict=True):
        behind = (end - last) // panel.step
        stop = width - behind
        row[stop - length : stop] = line[len(line) - length :]
        row[stop:] = 0.0 if gaps == "zero" else row[stop - 1]
    ids = list(panel.ids)
    rows = [values]
    for total, parts in _totals(panel.ids).items():
        known = np.isfinite(values[parts])
        summed = np.where(known, values[parts], 0.0).sum(0)
        rows.append(np.where(known.any(0), summed, np.nan)[None])
        ids.append(total)
    together = np.concatenate(rows)
    lengths = tuple(int(width - np.isfinite(row).argmax()) for row in together)
    return replace(panel, ids=tuple(ids), values=together, ends=(end,) * len(ids), lengths=lengths, known=())


def covariance(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of errors [fold, series, step] around 0: [series, series] with correlations shrunk to none as far as they are
    uncertain, or variances [series] where there are too many series."""
    import numpy as np

    samples = errors.transpose(0, 2, 1).reshape(-1, errors.shape[1])
    deviation = np.sqrt((samples**2).mean(0))
    deviation = np.maximum(deviation, max(1e-6 * float(deviation.max()), 1e-100))
    count, series = samples.shape
    if series > LARGEST or count < 3:
        return np.asarray(deviation**2, np.float64)
    unit = samples / deviation
    correlation = unit.T @ unit / count
    # sum over samples of (x_i x_j - r_ij)^2, without an array of samples x series x series
    spread = (unit**2).T @ unit**2 - count * correlation**2
    off = ~np.eye(series, dtype=bool)
    uncertain = count / (count - 1) ** 3 * spread[off].sum()
    strength = float((correlation[off] ** 2).sum())
    shrink = min(max(uncertain / strength, 0.01), 1.0) if strength > 0 else 1.0
    shrunk = np.where(off, (1 - shrink) * correlation, 1.0)
    return np.asarray(shrunk * np.outer(deviation, deviation), np.float64)


def reconcile(ids: tuple[tuple[Any, ...], ...], mean: Matrix, errors: NDArray[np.float64]) -> Matrix:
    """Forecasts [series, step] that add up; `errors` are covariances [series, series] or variances [series] of the base
    forecasts. Totals of which a part is missing in `ids` are sums of the parts that are there."""
    import numpy as np

    parts = [i for i, series in enumerate(ids) if ALL not in series]
    totals = _totals(tuple(ids[i] for i in parts))
    place = {series: i for i, series in enumerate(ids)}
    summing = np.zeros((len(ids), len(parts)))
    summing[parts, range(len(parts))] = 1.0
    for total, members in totals.items():
        if total in place:
            summing[place[total], members] = 1.0
    weighted: Any
    if errors.ndim == 1:
        floor = 1e-12 * max(float(errors.max()), 1e-300)
        weighted = (summing / np.maximum(errors, floor)[:, None]).T
    else:
        weighted = np.linalg.solve(errors, summing).T
    bottom = np.linalg.solve(weighted @ summing, weighted @ mean)
    if (mean[parts] >= 0).all():
        bottom = np.maximum(bottom, 0.0)
    result: Matrix = summing @ bottom
    return result


def _totals(ids: tuple[tuple[Any, ...], ...]) -> dict[tuple[Any, ...], list[int]]:
    """Totals by name, with the rows they sum; the most general last."""
    found: dict[tuple[Any, ...], list[int]] = {}
    depth = len(ids[0])
    for level in range(depth - 1, -1, -1):
        for i, series in enumerate(ids):
            found.setdefault(series[:level] + (ALL,) * (depth - level), []).append(i)
    return found
