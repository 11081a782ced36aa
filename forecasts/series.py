"""Rows of a table as regular series: one matrix, aligned at each series' own end."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ksqlkit.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

MAX_POINTS = 5_000_000  # cells of one series' grid; a stray time stamp must not fill memory


@dataclass(frozen=True, slots=True)
class Panel:
    """Series of one step length.

    `values` is [series, time], NaN before a series begins; the last column is each series' last step, which starts at
    `ends` (milliseconds). `lengths` counts the steps from a series' first to its last. `known` are regressors, each
    [series, time + ahead]: column for column with `values`, and as many more as are known of the future.
    """

    ids: tuple[tuple[Any, ...], ...]
    values: Matrix
    ends: tuple[int, ...]
    lengths: tuple[int, ...]
    step: int
    known: tuple[Matrix, ...] = ()

    def tail(self, steps: int) -> Panel:
        """At most the last `steps` columns."""
        drop = max(self.values.shape[1] - steps, 0)
        lengths = tuple(min(n, steps) for n in self.lengths)
        known = tuple(k[:, drop:] for k in self.known)
        return Panel(self.ids, self.values[:, drop:], self.ends, lengths, self.step, known)

    def cut(self, steps: int) -> Panel:
        """Without the last `steps` columns; regressors are then known so much further ahead."""
        if steps == 0:
            return self
        ends = tuple(e - steps * self.step for e in self.ends)
        lengths = tuple(max(0, n - steps) for n in self.lengths)
        return Panel(self.ids, self.values[:, :-steps], ends, lengths, self.step, self.known)

    def select(self, rows: list[int]) -> Panel:
        """Some of the series."""
        return Panel(
            tuple(self.ids[i] for i in rows),
            self.values[rows],
            tuple(self.ends[i] for i in rows),
            tuple(self.lengths[i] for i in rows),
            self.step,
            tuple(k[rows] for k in self.known),
        )


def find_step(times: Iterable[list[int]]) -> int:
    """The commonest distance between neighbouring times. Raises DataError if no series has two."""
    counts: dict[int, int] = {}
    for series in times:
        for a, b in itertools.pairwise(series):
            counts[b - a] = counts.get(b - a, 0) + 1
    if not counts:
        raise DataError(
            "No series has two points, so the length of a step cannot be found", hint="Set frequency."
        )
    return max(counts, key=lambda d: (counts[d], -d))


def build_panel(
    rows: Iterable[tuple[tuple[Any, ...], int, float | None]],
    *,
    step: int | None,
    gaps: str,
    bad: dict[tuple[Any, ...], str] | None = None,
) -> Panel:
    """A panel from (series, time, value) rows in any order; of rows with equal series and time the last counts.

    Steps without a row are 0 with gaps="zero", else interpolated in a straight line. Times are put on the grid of
    `step` milliseconds by rounding down. A series whose times span too much is left out and noted in `bad`; without
    that, as where there are no rows, it is a DataError.
    """
    import numpy as np

    by_series: dict[tuple[Any, ...], dict[int, float]] = {}
    for series, time, value in rows:
        points = by_series.setdefault(series, {})
        points[time] = float("nan") if value is None else float(value)
    if not by_series:
        raise DataError("The source has no rows", hint="Is it filled? Look with `ksqlkit sql`.")
    ordered = {k: sorted(v) for k, v in sorted(by_series.items(), key=lambda kv: tuple(map(str, kv[0])))}
    size = step or find_step(ordered.values())
    ids, grids, ends = [], [], []
    for series, times in ordered.items():
        first, last = times[0] // size, times[-1] // size
        if last - first >= MAX_POINTS:
            problem = f"it spans {last - first + 1:,} steps of {size} ms"
            if bad is None:
                raise DataError(f"Series {series}: {problem}", hint="Is a time stamp wrong?")
            bad[series] = problem
            continue
        grid = np.full(last - first + 1, np.nan)
        slots = np.asarray([t // size - first for t in times])
        grid[slots] = [by_series[series][t] for t in times]
        ids.append(series)
        grids.append(_fill(grid, gaps))
        ends.append(last * size)
    if not grids:
        raise DataError("No series has usable times", hint="Are they milliseconds?")
    width = max(len(g) for g in grids)
    values = np.full((len(grids), width), np.nan)
    for i, grid in enumerate(grids):
        values[i, width - len(grid) :] = grid
    return Panel(tuple(ids), values, tuple(ends), tuple(len(g) for g in grids), size)


def _fill(grid: Any, gaps: str) -> Any:
    import numpy as np

    missing = ~np.isfinite(grid)
    if not missing.any():
        return grid
    if missing.all():
        return grid
    if gaps == "zero":
        return np.where(missing, 0.0, grid)
    at = np.arange(len(grid))
    return np.where(missing, np.interp(at, at[~missing], grid[~missing]), grid)
