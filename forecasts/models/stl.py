"""STL and any other model: the season is taken out, the model forecasts the rest, and the season is put back.

What STL found for the last season is kept as it is until the next fit; so a new observation is one step of the inner
model. Source: Cleveland et al., "STL: A seasonal-trend decomposition procedure based on Loess" (1990).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from forecasts.models.statistical import HISTORY, Quietly, recent
from forecasts.series import Panel

if TYPE_CHECKING:
    from forecasts.models.base import Fitted
    from forecasts.series import Matrix

Fit = Callable[[Panel, int, "tuple[int, ...]"], "Fitted"]


@dataclass(slots=True)
class Stl:
    """`cycle` [series, season] is what the season adds to the steps after `ends`, again and again."""

    inner: Any
    horizon: int
    cycle: Matrix
    ends: tuple[int, ...]

    def __call__(self, history: Panel) -> Matrix:
        """Forecasts [series, horizon]."""
        width = history.values.shape[1]
        rest = replace(history, values=history.values - self.season(history, 1 - width, 1))
        result: Matrix = self.inner(rest) + self.season(history, 1, self.horizon + 1)
        return result

    def season(self, history: Panel, start: int, stop: int) -> Matrix:
        """What the season adds, at steps counted from the history's last one: [series, stop - start]."""
        import numpy as np

        behind = (np.asarray(history.ends) - np.asarray(self.ends)) // history.step
        slots = (behind[:, None] + np.arange(start, stop) - 1) % self.cycle.shape[1]
        return np.take_along_axis(self.cycle, slots, axis=1)

    def forget(self) -> None:
        """Drop the inner model's state."""
        if hasattr(self.inner, "forget"):
            self.inner.forget()


def fit(panel: Panel, horizon: int, seasons: tuple[int, ...], inner: Fit) -> Stl:
    """Take the first season out and fit the inner model, with the other seasons, on the rest."""
    import numpy as np

    season, series = seasons[0], len(panel.ids)
    cycle = np.zeros((series, season))
    values = panel.values.copy()
    for i in range(series):
        y = recent(panel, i, season, HISTORY)
        if season <= 1 or len(y) < 2 * season + 1 or np.ptp(y) == 0:
            continue
        with Quietly():
            found = _seasonal(y, season)
            if np.isfinite(found).all():
                cycle[i] = found[-season:]
    made = Stl(None, horizon, cycle, panel.ends)
    values -= made.season(panel, 1 - values.shape[1], 1)
    made.inner = inner(replace(panel, values=values), horizon, seasons[1:] or (1,))
    return made


def _seasonal(y: Any, season: int) -> Any:
    from statsmodels.tsa.seasonal import STL

    return STL(y, period=season, robust=True).fit().seasonal
