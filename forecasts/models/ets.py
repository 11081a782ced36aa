"""statsmodels' exponential smoothing, one series at a time; parameters are fitted once and then only updated."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from forecasts.models.base import Forecaster
from forecasts.series import Panel

if TYPE_CHECKING:
    from forecasts.series import Matrix

HISTORY = 20  # seasons that are looked at; older ones hardly weigh


class Ets:
    """Additive damped trend, additive season."""

    name = "ets"

    def fit(self, panel: Panel, horizon: int, seasons: tuple[int, ...]) -> Forecaster:
        """Fit smoothing parameters by maximum likelihood; a new history is then smoothed with them, not fitted."""
        season = seasons[0]
        params = [_fit(_history(panel, i, season), season) for i in range(len(panel.ids))]

        def forecast(history: Panel) -> Matrix:
            import numpy as np

            rows = [_history(history, i, season) for i in range(len(history.ids))]
            return np.stack([_predict(y, season, p, horizon) for y, p in zip(rows, params, strict=True)])

        return forecast


def _history(panel: Panel, row: int, season: int) -> Any:
    length = min(panel.lengths[row], max(HISTORY * season, 200))
    return panel.values[row, -length:]


def _model(y: Any, season: int) -> Any:
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    seasonal = season > 1 and len(y) >= 2 * season + 2
    return ExponentialSmoothing(
        y,
        trend="add",
        damped_trend=True,
        seasonal="add" if seasonal else None,
        seasonal_periods=season if seasonal else None,
        initialization_method="heuristic",
    )


def _fit(y: Any, season: int) -> dict[str, float] | None:
    """Smoothing parameters, or None where the series gives none (constant, too short, no convergence)."""
    import numpy as np

    if len(y) < 12 or np.ptp(y) == 0:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # convergence is judged by the result
        try:
            found = _model(y, season).fit(use_brute=False).params
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            return None
    names = ("smoothing_level", "smoothing_trend", "smoothing_seasonal", "damping_trend")
    params = {n: float(found[n]) for n in names if np.isfinite(found.get(n, np.nan))}
    return params if "smoothing_level" in params else None


def _predict(y: Any, season: int, params: dict[str, float] | None, horizon: int) -> Any:
    import numpy as np

    if params is None or len(y) < 12:
        return np.full(horizon, y[-1])
    model = _model(y, season)
    given = dict(params)
    if model.seasonal is None:
        given.pop("smoothing_seasonal", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = model.fit(optimized=False, **given).forecast(horizon)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            return np.full(horizon, y[-1])
    return np.where(np.isfinite(result), result, y[-1])
