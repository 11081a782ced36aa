"""statsmodels, one series at a time, kept as parameters and a state.

Parameters are found by maximum likelihood once. After that a new observation moves the state by one step of the filter
(as statsmodels' `extend` does), and costs that alone. Exponential smoothing becomes the recursion of `smoothing`, for
all series at once; state-space models keep the mean and covariance of their next state.
"""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forecasts.models.smoothing import Smoothing, SmoothingFitted, State
from forecasts.series import Panel

if TYPE_CHECKING:
    from forecasts.series import Matrix

HISTORY = 20  # seasons that are looked at, 8 of them by what is slow; older ones hardly weigh
SLOW_HISTORY = 8
LEAST = 12  # a shorter series repeats its last value
HARMONICS = 3  # pairs of sine and cosine a season, where it is a regressor
ETS = Smoothing(1, trend=True, damped=True, seasonal=True)


@dataclass(slots=True)
class Series:
    """One fitted series: parameters, and the mean and covariance of the state after `end`."""

    params: Any
    end: int
    mean: Any = None
    cov: Any = None


@dataclass(slots=True)
class StateSpace:
    """Fitted series of one kind, "sarimax" or "unobserved"; `waves` are the seasons that are regressors."""

    kind: str
    horizon: int
    season: int
    rows: list[Series | None]
    waves: tuple[int, ...]

    def __call__(self, history: Panel) -> Matrix:
        """Forecasts [series, horizon]; a series without a model repeats its last value."""
        import numpy as np

        return np.stack([self._one(history, i) for i in range(len(history.ids))])

    def forget(self) -> None:
        """Drop the states: the next history is gone through anew."""
        for series in self.rows:
            if series is not None:
                series.mean = None

    def _one(self, history: Panel, i: int) -> Any:
        import numpy as np

        y = recent(history, i, self.season, SLOW_HISTORY)
        last = np.full(self.horizon, y[-1] if len(y) else 0.0)
        series = self.rows[i]
        if series is None or len(y) < LEAST:
            return last
        new = (history.ends[i] - series.end) // history.step
        if series.mean is None or not 0 <= new <= history.lengths[i]:
            series.mean, new = None, span(history, i, self.season, SLOW_HISTORY)
        line = history.values[i, history.values.shape[1] - new :]
        with Quietly():
            known = regressors(history, i, self.horizon, new, self.waves)
            made = advance(self, series, line, known)
            series.end = history.ends[i]
            return np.where(np.isfinite(made), made, last)
        series.mean = None
        return last


def advance(fitted: StateSpace, series: Series, line: Any, known: Any) -> Any:
    """Show a series the values that are new and forecast: the filter runs over them, and on over the horizon as if it
    were missing."""
    import numpy as np

    ahead = np.concatenate([line, np.full(fitted.horizon, np.nan)])
    model = make_model(fitted.kind, ahead, known, fitted.season)
    if series.mean is not None:
        model.ssm.initialize_known(series.mean, series.cov)
    model.update(series.params, transformed=True)
    found = model.ssm.filter()
    series.mean = found.predicted_state[:, len(line)].copy()
    series.cov = found.predicted_state_cov[:, :, len(line)].copy()
    return found.forecasts[0, len(line) :]


def make_model(kind: str, y: Any, known: Any, season: int) -> Any:
    """The statsmodels model of a series and its regressors."""
    if kind == "sarimax":
        from statsmodels.tsa.statespace.sarimax import SARIMAX

        # a regressor may be constant over the few steps that are new, though not over those it was fitted on
        options = {"enforce_stationarity": True, "validate_specification": False}
        return SARIMAX(y, exog=known, order=(2, 0, 1), trend="c", **options)
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    waves = [{"period": season, "harmonics": min(HARMONICS, season // 2)}] if season > 1 else None
    return UnobservedComponents(y, level="local level", freq_seasonal=waves, autoregressive=1, exog=known)


def recent(panel: Panel, row: int, season: int, seasons: int) -> Any:
    """A series' known values of so many recent seasons."""
    import numpy as np

    y = panel.values[row, -span(panel, row, season, seasons) :]
    return y[np.isfinite(y)]


def span(panel: Panel, row: int, season: int, seasons: int) -> int:
    """How many steps that is."""
    return min(panel.lengths[row], max(seasons * season, 200))


def regressors(panel: Panel, row: int, ahead: int, length: int, waves: tuple[int, ...]) -> Any:
    """Known regressors and seasonal waves of a series' last `length` steps and the next `ahead`: [time, k], or None."""
    import numpy as np

    end = panel.values.shape[1]
    columns = [
        known[row, end - length : end + ahead] for known in panel.known if known.shape[1] >= end + ahead
    ]
    time = panel.ends[row] // panel.step + np.arange(1 - length, ahead + 1)
    for season in waves:
        for k in range(1, min(HARMONICS, season // 2) + 1):
            angle = 2 * np.pi * k * (time % season) / season
            columns += [np.sin(angle), np.cos(angle)]
    return np.stack(columns, 1) if columns else None


def fit_sarimax(panel: Panel, horizon: int, seasons: tuple[int, ...]) -> StateSpace:
    """ARIMA(2, 0, 1) with a constant, on regressors: known ones, and waves of each season."""
    return _fit("sarimax", panel, horizon, seasons, tuple(s for s in seasons if s > 1))


def fit_unobserved(panel: Panel, horizon: int, seasons: tuple[int, ...]) -> StateSpace:
    """Structural model: a local level, a stochastic season of few harmonics, and an autoregressive cycle."""
    return _fit("unobserved", panel, horizon, seasons, ())


def _fit(
    kind: str, panel: Panel, horizon: int, seasons: tuple[int, ...], waves: tuple[int, ...]
) -> StateSpace:
    import numpy as np

    rows: list[Series | None] = []
    for i in range(len(panel.ids)):
        y = recent(panel, i, seasons[0], SLOW_HISTORY)
        series: Series | None = None
        if len(y) >= LEAST and np.ptp(y) > 0:
            with Quietly():
                known = regressors(panel, i, 0, len(y), waves)
                model = make_model(kind, y, known, seasons[0])
                results = model.fit(disp=False, maxiter=30, method="lbfgs", cov_type="none")
                if np.isfinite(results.params).all():
                    mean, cov = results.predicted_state[:, -1], results.predicted_state_cov[:, :, -1]
                    series = Series(np.array(results.params), panel.ends[i], mean.copy(), cov.copy())
        rows.append(series)
    return StateSpace(kind, horizon, seasons[0], rows, waves)


def fit_ets(panel: Panel, horizon: int, seasons: tuple[int, ...]) -> SmoothingFitted:
    """Holt-Winters with a damped trend by maximum likelihood; a series that it cannot fit repeats its last value."""
    import numpy as np

    season, (series, width) = seasons[0], panel.values.shape
    cycle = (season,) if season > 1 else ()
    params = np.zeros((4 + len(cycle), series))
    params[0] = params[2] = 1.0
    level, trend, around = panel.values[:, -1].copy(), np.zeros(series), np.zeros((season, series))
    for i in range(series):
        y = recent(panel, i, season, HISTORY)
        if len(y) < LEAST or np.ptp(y) == 0:
            continue
        with Quietly():
            found = _ets(y, season).fit(use_brute=False)
            alpha, beta, phi, gamma = (
                float(np.nan_to_num(found.params.get(f"{kind}", 0.0)))
                for kind in ("smoothing_level", "smoothing_trend", "damping_trend", "smoothing_seasonal")
            )
            end = float(found.level[-1]), float(found.trend[-1])
            if np.isfinite(end).all():
                level[i], trend[i] = end
                params[:3, i] = alpha, alpha * beta, phi
                if found.model.has_seasonal:
                    params[4, i] = gamma
                    around[np.arange(width - season, width) % season, i] = found.season[-season:]
    state = State(np.nan_to_num(level), trend, [around] if cycle else [], np.zeros(series), width)
    return SmoothingFitted(ETS, horizon, cycle, params, state, panel.ends)


def _ets(y: Any, season: int) -> Any:
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    seasonal = season > 1 and len(y) >= 2 * season + 2
    return ExponentialSmoothing(
        y,
        trend="add",
        damped_trend=True,
        seasonal="add" if seasonal else None,
        seasonal_periods=season if seasonal else None,
        initialization_method="heuristic" if len(y) >= 2 * season + 10 else "legacy-heuristic",
    )


class Quietly:
    """statsmodels' warnings off, for its results are judged by the backtest; what it cannot do is left out."""

    def __enter__(self) -> None:
        """Silence."""
        import numpy as np
        import statsmodels.tools.sm_exceptions  # noqa: F401  # asks for its warnings when it is imported: so do that first

        self._stack = ExitStack()
        self._stack.enter_context(np.errstate(all="ignore"))
        self._stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> bool:
        """Swallow what fitting and filtering raise on data they cannot take."""
        import numpy as np

        self._stack.close()
        refused = (ValueError, ArithmeticError, IndexError, np.linalg.LinAlgError)
        return kind is not None and issubclass(kind, refused)
