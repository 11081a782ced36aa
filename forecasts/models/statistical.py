"""statsmodels, one series at a time, kept as parameters and state.

A fitted series is shown new observations (`extend`, or `smooth` with the parameters it has) and not fitted again.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from forecasts.series import Panel

if TYPE_CHECKING:
    from forecasts.series import Matrix

HISTORY = 20  # seasons that are looked at, 8 of them by what is slow; older ones hardly weigh
SLOW_HISTORY = 8
LEAST = 12  # a shorter series repeats its last value
HARMONICS = 3  # pairs of sine and cosine a season, where it is a regressor

Make = Callable[[Any, Any, int], Any]  # (values, regressors or None, season) -> statsmodels model


@dataclass(slots=True)
class Series:
    """One fitted series: parameters, and statsmodels' results after `end` where they can be extended."""

    params: Any
    results: Any = None
    end: int = 0


@dataclass(slots=True)
class StatisticalFitted:
    """Fitted series of one method. With `adjust`, a season taken out by STL is put back onto forecasts."""

    make: Make
    horizon: int
    season: int
    rows: list[Series | None]
    waves: tuple[int, ...] = field(default=())
    adjust: bool = False
    seasons: int = HISTORY

    def __call__(self, history: Panel) -> Matrix:
        """Forecasts [series, horizon]; a series without a model repeats its last value."""
        import numpy as np

        made = [self._one(history, i) for i in range(len(history.ids))]
        return np.stack(made)

    def _one(self, history: Panel, i: int) -> Any:
        import numpy as np

        y, seasonal = prepare(history, i, self.season, self.adjust, self.seasons)
        last = np.full(self.horizon, y[-1] if len(y) else 0.0) + seasonal(self.horizon)
        series = self.rows[i]
        if series is None or len(y) < LEAST:
            return last
        with Quietly():
            ahead = regressors(history, i, self.horizon, len(y), self.waves)
            past, future = (None, None) if ahead is None else (ahead[: len(y)], ahead[len(y) :])
            self._show(series, y, past, history.ends[i], history.step)
            options = {} if future is None else {"exog": future}
            result = np.asarray(series.results.forecast(self.horizon, **options)) + seasonal(self.horizon)
            return np.where(np.isfinite(result), result, last)
        return last

    def _show(self, series: Series, y: Any, past: Any, end: int, step: int) -> None:
        """Bring a series' results to the end of the history."""
        new = (end - series.end) // step
        if series.results is not None and not self.adjust and 0 <= new < len(y):
            if new and hasattr(series.results, "extend"):
                options = {} if past is None else {"exog": past[-new:]}
                series.results = series.results.extend(y[-new:], **options)
            elif new:
                series.results = smoothed(self.make(y, past, self.season), series.params)
        else:
            series.results = smoothed(self.make(y, past, self.season), series.params)
        series.end = end


def smoothed(model: Any, params: Any) -> Any:
    """Results of a model with parameters it has already."""
    if isinstance(params, dict):
        return model.fit(optimized=False, **params)
    return model.smooth(params)


def prepare(
    panel: Panel, row: int, season: int, adjust: bool, seasons: int = HISTORY
) -> tuple[Any, Callable[[int], Any]]:
    """A series' values of so many recent seasons, seasonally adjusted by STL if asked, and what its season adds to
    the steps that come."""
    import numpy as np

    length = min(panel.lengths[row], max(seasons * season, 200))
    y = panel.values[row, -length:]
    y = y[np.isfinite(y)]
    if not adjust or season <= 1 or len(y) < 2 * season + 1:
        return y, lambda horizon: np.zeros(horizon)
    from statsmodels.tsa.seasonal import STL

    cycle = STL(y, period=season, robust=True).fit().seasonal
    return y - cycle, lambda horizon: np.resize(cycle[-season:], horizon)


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


def fit_ets(panel: Panel, horizon: int, seasons: tuple[int, ...]) -> StatisticalFitted:
    """Holt-Winters with a damped trend by maximum likelihood."""
    return _fit(_ets, panel, horizon, seasons)


def fit_sarimax(panel: Panel, horizon: int, seasons: tuple[int, ...]) -> StatisticalFitted:
    """ARIMA(2, 0, 1) with a constant, on regressors: known ones, and waves of each season."""
    waves = tuple(s for s in seasons if s > 1)
    return _fit(_sarimax, panel, horizon, seasons, waves=waves, keep=SLOW_HISTORY)


def fit_unobserved(panel: Panel, horizon: int, seasons: tuple[int, ...]) -> StatisticalFitted:
    """Structural model: a local level, a stochastic season of few harmonics, and an autoregressive cycle."""
    return _fit(_unobserved, panel, horizon, seasons, keep=SLOW_HISTORY)


def fit_stl(panel: Panel, horizon: int, seasons: tuple[int, ...]) -> StatisticalFitted:
    """Season taken out by STL; the rest by damped exponential smoothing; the last season put back."""
    return _fit(_ets_plain, panel, horizon, seasons, adjust=True)


def _fit(
    make: Make,
    panel: Panel,
    horizon: int,
    seasons: tuple[int, ...],
    *,
    waves: tuple[int, ...] = (),
    adjust: bool = False,
    keep: int = HISTORY,
) -> StatisticalFitted:
    import numpy as np

    season = seasons[0]
    rows: list[Series | None] = []
    for i in range(len(panel.ids)):
        y, _ = prepare(panel, i, season, adjust, keep)
        series: Series | None = None
        if len(y) >= LEAST and np.ptp(y) > 0:
            with Quietly():
                known = regressors(panel, i, horizon, len(y), waves)
                series = fit_one(make(y, None if known is None else known[: len(y)], season))
        if series is not None:
            series.end = panel.ends[i]
        rows.append(series)
    return StatisticalFitted(make, horizon, season, rows, waves, adjust, keep)


def fit_one(model: Any) -> Series | None:
    """Fit by maximum likelihood; None where that gives no finite parameters."""
    import numpy as np

    if hasattr(model, "ssm"):
        results = model.fit(disp=False, maxiter=30, method="lbfgs")
        return Series(results.params, results) if np.isfinite(results.params).all() else None
    results = model.fit(use_brute=False)
    names = ("smoothing_level", "smoothing_trend", "smoothing_seasonal", "damping_trend")
    params = {n: float(results.params[n]) for n in names if np.isfinite(results.params.get(n, np.nan))}
    return Series(params, results) if "smoothing_level" in params else None


def _ets(y: Any, _known: Any, season: int) -> Any:
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


def _ets_plain(y: Any, known: Any, _season: int) -> Any:
    return _ets(y, known, 1)


def _sarimax(y: Any, known: Any, _season: int) -> Any:
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    return SARIMAX(y, exog=known, order=(2, 0, 1), trend="c", enforce_stationarity=True)


def _unobserved(y: Any, known: Any, season: int) -> Any:
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    waves = [{"period": season, "harmonics": min(HARMONICS, season // 2)}] if season > 1 else None
    return UnobservedComponents(y, level="local level", freq_seasonal=waves, autoregressive=1, exog=known)


class Quietly:
    """statsmodels' warnings off, for its results are judged by the backtest; what it cannot do is left out."""

    def __enter__(self) -> None:
        """Silence."""
        import numpy as np

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
