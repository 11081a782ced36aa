"""Exponential smoothing for many series at once: loops run over time, arithmetic over series and candidate parameters.

One recursion in error-correction form covers simple, Holt's and damped smoothing, Theta and several additive seasons
with an autoregressive remainder (Taylor, 2003, 2010):

    forecast = level + phi * trend + sum of seasons + rho * last remainder

Parameters are points of a fixed grid inside the admissible region, picked per series by mean absolute one-step error,
so nothing needs to converge and nothing explodes. Theta is simple smoothing with half the linear trend as a drift
(Hyndman and Billah, 2003). Other sources: Hyndman and Athanasopoulos, "Forecasting: Principles and Practice".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from forecasts.models.halton import halton
from forecasts.series import Panel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from forecasts.series import Matrix

BLOCK = 16_384  # series x candidates at a time: what stays in a processor's cache


@dataclass(frozen=True, slots=True)
class Smoothing:
    """A member of the family: which parameters it has, and how many candidates of them are tried."""

    candidates: int
    trend: bool = False
    damped: bool = False
    seasonal: bool = False
    remainder: bool = False
    drift: float = 0.0  # share of the linear trend that is added (Theta: a half)

    def grid(self, seasons: int) -> NDArray[np.float32]:
        """Candidates [parameter, candidate]: alpha, beta, phi, rho, then one gamma a season."""
        import numpy as np

        free = halton(self.candidates, 4 + seasons)
        grid = np.zeros((4 + seasons, self.candidates), np.float32)
        grid[0] = 0.01 + 0.89 * free[0] ** 1.5
        grid[1] = 0.3 * grid[0] * free[1] ** 2 if self.trend else 0.0
        grid[2] = 0.8 + 0.18 * free[2] if self.damped else 1.0
        if self.remainder:
            # either the remainder carries what is fleeting, or the level follows it
            fleeting = np.arange(self.candidates) % 2 == 0
            grid[0] = np.where(fleeting, 0.001 + 0.5 * free[0] ** 2, grid[0] + 0.09 * free[0])
            grid[3] = np.where(fleeting, 0.95 * free[3], 0.0)
        if self.seasonal:
            grid[4:] = 0.01 + 0.5 * free[4:] ** 1.5
        return grid

    def fit(self, panel: Panel, horizon: int, seasons: tuple[int, ...]) -> SmoothingFitted:
        """Pick parameters per series; the state after the panel's last step is kept."""
        import numpy as np

        seasons = tuple(s for s in seasons if s > 1) if self.seasonal or self.drift else ()
        grid = self.grid(len(seasons))
        size = max(1, BLOCK // self.candidates)
        picked = [
            self._pick(panel.values[i : i + size], seasons, grid) for i in range(0, len(panel.ids), size)
        ]
        fitted = SmoothingFitted(self, horizon, seasons, np.concatenate(picked, axis=1))
        fitted.restart(panel)
        return fitted

    def start(self, values: Matrix, seasons: tuple[int, ...]) -> State:
        """The state before the first known value of each series."""
        if self.drift:
            return _drifting(values, seasons, self.drift)
        import numpy as np

        series, width = values.shape
        known = np.isfinite(values)
        first = np.where(known.any(1), known.argmax(1), width - 1)
        span = min(width - int(first.max()), 2 * max(seasons, default=1))
        head = np.nan_to_num(values[np.arange(series)[:, None], first[:, None] + np.arange(span)])
        level = head.mean(1) if seasons else head[:, 0]
        rest = head - level[:, None]
        cycles = []
        for season in seasons:
            count = span // season
            cycle = rest[:, : count * season].reshape(series, count, season)
            mean = (cycle - cycle.mean(2, keepdims=True)).mean(1)
            rest = rest - np.tile(mean, (1, -(-span // season)))[:, :span]
            slots = (first[:, None] + np.arange(season)) % season
            placed = np.empty((season, series))
            placed[slots.T, np.arange(series)] = mean.T
            cycles.append(placed)
        return State(level, np.zeros(series), cycles, np.zeros(series), 0)

    def _pick(self, values: Matrix, seasons: tuple[int, ...], grid: NDArray[np.float32]) -> Matrix:
        import numpy as np

        state = self.start(values, seasons).spread(grid.shape[1])
        params = np.broadcast_to(grid[:, None, :], (len(grid), len(values), grid.shape[1]))
        burn = min(2 * max(seasons, default=1), values.shape[1] // 2)
        errors = run(values.astype(np.float32), params, state, seasons, burn=burn)
        best: Matrix = grid[:, errors.argmin(1)].astype(np.float64)
        return best


def _drifting(values: Matrix, seasons: tuple[int, ...], share: float) -> State:
    """The start of Theta: the line through all of a series and the mean seasons around it."""
    import numpy as np

    series, width = values.shape
    known = np.isfinite(values)
    count = np.maximum(known.sum(1), 1)
    time = np.where(known, np.arange(width), 0.0)
    centre, mean = time.sum(1) / count, np.where(known, values, 0.0).sum(1) / count
    off = np.where(known, np.arange(width) - centre[:, None], 0.0)
    slope = (off * np.where(known, values, 0.0)).sum(1) / np.maximum((off * off).sum(1), 1.0)
    rest = values - mean[:, None] - slope[:, None] * (np.arange(width) - centre[:, None])
    cycles = []
    for season in seasons:
        full = width // season * season
        cycle = rest[:, width - full :].reshape(series, -1, season)
        there = np.isfinite(cycle)
        around = np.where(there, cycle, 0.0).sum(1) / np.maximum(there.sum(1), 1)
        around -= around.mean(1, keepdims=True)
        cycles.append(np.roll(around, (width - full) % season, axis=1).T.copy())
        rest = rest - cycles[-1][np.arange(width) % season].T
    first = np.where(known.any(1), known.argmax(1), width - 1)
    return State(mean + slope * (first - centre), share * slope, cycles, np.zeros(series), 0)


FAMILY = {
    "ses": Smoothing(16),
    "holt": Smoothing(24, trend=True),
    "damped": Smoothing(32, trend=True, damped=True),
    "theta": Smoothing(16, drift=0.5),
    "holt_winters": Smoothing(96, trend=True, damped=True, seasonal=True, remainder=True),
}


@dataclass(slots=True)
class State:
    """Where a recursion stands: [series] or [series, candidate] each; `cycles` one [season, ...] a season."""

    level: Any
    trend: Any
    cycles: list[Any]
    remainder: Any
    clock: int

    def spread(self, candidates: int) -> State:
        """One copy per candidate, in single precision."""
        import numpy as np

        def copy(values: Any) -> Any:
            return np.repeat(values[..., None], candidates, axis=-1).astype(np.float32)

        cycles = [copy(c) for c in self.cycles]
        return State(copy(self.level), copy(self.trend), cycles, copy(self.remainder), self.clock)


def run(values: Matrix, params: Any, state: State, seasons: tuple[int, ...], *, burn: int = 0) -> Any:
    """Show [series, time] to a state, which changes; returns summed absolute one-step errors of what comes after
    `burn` steps. `params` is [parameter, series] or [parameter, series, candidate]. NaN changes nothing."""
    import numpy as np

    alpha, beta, phi, rho = params[:4]
    gammas = params[4:]
    has_trend, has_rho = bool(np.any(state.trend)) or bool(np.any(beta)), bool(np.any(rho))
    moving = [bool(np.any(g)) for g in gammas]
    errors = np.zeros_like(state.level)
    every: Any = np.isfinite(values).all(axis=0)
    tail = (slice(None),) + (None,) * (state.level.ndim - 1)
    for t in range(values.shape[1]):
        observed = values[:, t][tail]
        miss = observed - state.level
        if has_trend:
            moved = phi * state.trend
            miss -= moved
        for cycle, season in zip(state.cycles, seasons, strict=True):
            miss -= cycle[state.clock % season]
        known: Any = None
        if not every[t]:
            known = np.isfinite(observed)
            miss = np.where(known, miss, 0.0)
        surprise = miss - rho * state.remainder if has_rho else miss
        if t >= burn:
            errors += np.abs(surprise)
        step = alpha * surprise
        if has_trend:
            state.level += moved if known is None else np.where(known, moved, 0.0)
            state.trend = (
                moved + beta * surprise
                if known is None
                else np.where(known, moved + beta * surprise, state.trend)
            )
        state.level += step
        for cycle, season, gamma, moves in zip(state.cycles, seasons, gammas, moving, strict=True):
            if moves:
                cycle[state.clock % season] += gamma * surprise
        if has_rho:
            state.remainder = miss if known is None else np.where(known, miss, state.remainder)
        state.clock += 1
    return errors


@dataclass(slots=True)
class SmoothingFitted:
    """Parameters [parameter, series] and the state after the last history seen."""

    kind: Smoothing
    horizon: int
    seasons: tuple[int, ...]
    params: Matrix
    state: State | None = None
    ends: tuple[int, ...] = field(default=())

    def restart(self, panel: Panel) -> None:
        """Go through a whole history."""
        self.state = self.kind.start(panel.values, self.seasons)
        run(panel.values, self.params, self.state, self.seasons)
        self.ends = panel.ends

    def forget(self) -> None:
        """Drop the state: the next history is gone through anew."""
        self.state = None

    def _go_on(self, history: Panel, new: NDArray[np.int64]) -> None:
        """Show the last `new` steps of each series. The clock is everyone's, so a series with fewer than the others
        waits for the first of theirs, its seasons turned back by as many."""
        import numpy as np

        assert self.state is not None
        steps = int(new.max())
        values, late = history.values[:, -steps:], steps - new
        if late.any():
            values = np.where(np.arange(steps) < late[:, None], np.nan, values)
            for cycle, season in zip(self.state.cycles, self.seasons, strict=True):
                slots = (np.arange(season)[:, None] - late) % season
                cycle[:] = np.take_along_axis(cycle, slots, axis=0)
        run(values, self.params, self.state, self.seasons)
        self.ends = history.ends

    def __call__(self, history: Panel) -> Matrix:
        """Forecast; a history that only goes on from the last one costs its new steps alone."""
        import numpy as np

        new = (np.asarray(history.ends) - np.asarray(self.ends or history.ends)) // history.step
        if self.state is None or (new < 0).any() or (new > history.lengths).any():
            self.restart(history)
        elif new.any():
            self._go_on(history, new)
        state = self.state
        assert state is not None
        ahead = np.arange(1, self.horizon + 1)
        _alpha, _beta, phi, rho = self.params[:4]
        damping = np.cumsum(phi[:, None] ** ahead, axis=1)
        result: Matrix = state.level[:, None] + damping * state.trend[:, None]
        for cycle, season in zip(state.cycles, self.seasons, strict=True):
            result = result + cycle[(state.clock + ahead - 1) % season].T
        result = result + rho[:, None] ** ahead * state.remainder[:, None]
        return np.asarray(result)
