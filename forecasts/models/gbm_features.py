"""Features of the global gradient boosting: lags, seasonal values, phase and regressors, on a local scale.

A row is (series, origin, step). Everything is relative to the series' level before the origin and in units of its mean
absolute change, and what is learned is the change from the value one whole period back ("base": the last value, or a
season's; per series the one that repeated best). So series of any size and shape share one model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forecasts.series import Panel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from forecasts.series import Matrix

CYCLES = 5  # earlier seasons that are looked at; the last three one by one
LAGS = 18


@dataclass(slots=True)
class Layout:
    """What the rows of one model hold. `base` indexes `periods` per series; `target` counts the series' steps."""

    periods: tuple[int, ...]
    horizon: int
    base: NDArray[np.int64]

    @property
    def reach(self) -> int:
        """Steps of history that the features of one origin look back on."""
        return max((CYCLES + 1) * max(self.periods) + self.horizon, 2 * max(self.periods) + 100, LAGS + 2)


class Rows:
    """Features of a panel; rolling sums are made once."""

    def __init__(self, panel: Panel, layout: Layout) -> None:
        import numpy as np

        self._panel, self._layout = panel, layout
        self._values = panel.values
        window = max(2 * max(layout.periods), 100)
        series = np.arange(len(panel.ids))
        changes = np.stack([_mean_before(_change(self._values, p), window) for p in layout.periods])
        self._scale = changes[layout.base, series] + 1e-3
        seasons = layout.periods[1:]
        self._level = _mean_before(self._values, max(seasons[0] if seasons else 0, 4))
        self._means = [_mean_before(self._values, s) for s in seasons]

    def make(self, origins: Any, steps: Any) -> tuple[Matrix, Matrix, Matrix]:
        """Features [row, column], base [row] and scale [row]; rows are series x origins x steps. `origins` are columns
        of the panel that are not known yet, `steps` count from 0."""
        import numpy as np

        origins, steps = np.asarray(origins), np.asarray(steps)
        layout = self._layout
        shape = (len(self._values), len(origins), len(steps))
        level, scale = self._level[:, origins, None], self._scale[:, origins, None]
        columns: list[Any] = []

        def add(values: Any) -> None:
            columns.append(np.broadcast_to(values, shape).astype(np.float32).reshape(-1))

        def relative(values: Any) -> Any:
            return (values - level) / scale

        for lag in range(1, LAGS + 1):
            add(relative(self._at(origins - lag)[:, :, None]))
        target = origins[:, None] + steps
        base = np.empty(shape)
        for index, period in enumerate(layout.periods):
            mine = layout.base == index
            base[mine] = self._at(target - _whole(steps, period))[mine]
        add(relative(base))
        for season, mean in zip(layout.periods[1:], self._means, strict=True):
            last = target - _whole(steps, season)
            cycles = [self._at(last - k * season) for k in range(CYCLES)]
            for cycle in cycles[:3]:
                add(relative(cycle))
            add(relative(_nan_mean(cycles)))
            add(relative(self._at(last - 1)))
            after = np.where(last + 1 < origins[:, None], last + 1, -1)
            add(relative(self._at(after)))
            add(relative(mean[:, origins, None]))
        if len(steps) > 1:
            add(steps)
        add(np.asarray(layout.periods)[layout.base][:, None, None])
        add(np.arcsinh(level / scale))
        ends = np.asarray(self._panel.ends) // self._panel.step
        place = ends[:, None, None] + (target - self._values.shape[1] + 1)
        for season in layout.periods[1:]:
            add(place % season)
        for known in self._panel.known:
            add(known[:, np.minimum(target, known.shape[1] - 1)])
        return (
            np.stack(columns, 1),
            base.reshape(-1),
            np.repeat(self._scale[:, origins].reshape(-1), len(steps)),
        )

    def _at(self, index: Any) -> Any:
        """Values [series, *index]; NaN before the panel."""
        import numpy as np

        found = self._values[:, np.clip(index, 0, self._values.shape[1] - 1)]
        return np.where(index >= 0, found, np.nan)


def _whole(steps: Any, period: int) -> Any:
    """The least whole number of periods, in steps, that leads from a target back before its origin."""
    return (steps // period + 1) * period


def _change(values: Matrix, period: int) -> Matrix:
    import numpy as np

    change = np.full_like(values, np.nan)
    change[:, period:] = np.abs(values[:, period:] - values[:, :-period])
    return change


def _mean_before(values: Matrix, window: int) -> Matrix:
    """[series, time + 1]: mean of the known ones of the `window` values before each column."""
    import numpy as np

    known = np.isfinite(values)
    total = np.pad(np.cumsum(np.where(known, values, 0.0), 1), ((0, 0), (1, 0)))
    count = np.pad(np.cumsum(known, 1), ((0, 0), (1, 0)))
    from_ = np.maximum(np.arange(values.shape[1] + 1) - window, 0)
    total, count = total - total[:, from_], count - count[:, from_]
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _nan_mean(parts: list[Any]) -> Any:
    import numpy as np

    stacked = np.stack(parts)
    known = np.isfinite(stacked)
    count = known.sum(0)
    return np.where(count > 0, np.where(known, stacked, 0.0).sum(0) / np.maximum(count, 1), np.nan)
