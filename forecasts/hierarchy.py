"""Totals and parts that add up: totals are forecast like any series, then all are reconciled (MinTrace).

The series columns are levels, the general one first: with REGION and SHOP there are the shops, each region ("north",
"*") and the whole ("*", "*"). Reconciled forecasts are S (S' W^-1 S)^-1 S' W^-1 of the base forecasts, S summing parts
into totals and W the variances of the backtest's errors. Source: Wickramasuriya, Athanasopoulos and Hyndman, "Optimal
forecast reconciliation through trace minimization" (2019), the diagonal form.
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


def reconcile(ids: tuple[tuple[Any, ...], ...], mean: Matrix, variance: NDArray[np.float64]) -> Matrix:
    """Forecasts [series, step] that add up; `variance` [series] says how little each is trusted. Totals of which a part
    is missing in `ids` are sums of the parts that are there."""
    import numpy as np

    parts = [i for i, series in enumerate(ids) if ALL not in series]
    totals = _totals(tuple(ids[i] for i in parts))
    place = {series: i for i, series in enumerate(ids)}
    summing = np.zeros((len(ids), len(parts)))
    summing[parts, range(len(parts))] = 1.0
    for total, members in totals.items():
        if total in place:
            summing[place[total], members] = 1.0
    trust = 1.0 / np.maximum(variance, 1e-12 * max(float(variance.max()), 1e-300))
    weighted = summing.T * trust
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
