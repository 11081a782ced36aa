"""One XGBoost model for all series: direct forecasts, the step ahead being a feature.

A row is (series, origin, step). Features: seasonal values known at the origin, recent levels, the calendar of the
target time. Everything is divided by the series' scale, and the target is the difference from the same point of the
last known season, so that series of any size share one model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forecasts.models.base import Forecaster
from forecasts.series import Panel

if TYPE_CHECKING:
    from forecasts.series import Matrix

ROWS = 20_000  # training rows; more origins than that are thinned out
ROUNDS = 80
PARAMS: dict[str, Any] = {
    "objective": "reg:pseudohubererror",
    "huber_slope": 0.3,
    "eta": 0.12,
    "max_depth": 5,
    "max_bin": 64,
    "nthread": 2,
    "subsample": 0.8,
    "colsample_bytree": 0.9,
    "min_child_weight": 5,
    "tree_method": "hist",
    "seed": 7,
    "verbosity": 0,
}


class GradientBoosting:
    """Global direct gradient boosting."""

    name = "xgboost"

    def fit(self, panel: Panel, horizon: int, seasons: tuple[int, ...]) -> Forecaster:
        """Train on origins spread over the panel's second half and what else has a whole season behind it."""
        import numpy as np
        import xgboost as xgb

        season = seasons[-1] if 3 * seasons[-1] + horizon <= panel.values.shape[1] else seasons[0]
        width = panel.values.shape[1]
        first = min(2 * season + 1, max(width - horizon - 1, 1))
        origins = np.arange(first, width - horizon + 1)
        keep = max(1, ROWS // max(1, len(panel.ids) * horizon))
        if len(origins) > keep:
            origins = origins[np.linspace(0, len(origins) - 1, keep).astype(int)]
        blocks = [_features(panel, int(o), horizon, seasons) for o in origins]
        if not blocks:
            return _fallback(horizon)
        features = np.concatenate([b[0] for b in blocks])
        base = np.concatenate([b[1] for b in blocks])
        scale = np.concatenate([b[2] for b in blocks])
        actual = np.concatenate([panel.values[:, o : o + horizon].ravel() for o in origins])
        target = (actual - base) / scale
        usable = np.isfinite(target)
        if usable.sum() < 50:
            return _fallback(horizon)
        booster = xgb.train(PARAMS, xgb.DMatrix(features[usable], target[usable]), ROUNDS)

        def forecast(history: Panel) -> Matrix:
            rows, last, size = _features(history, history.values.shape[1], horizon, seasons)
            change = booster.inplace_predict(rows)
            result: Matrix = (last + change * size).reshape(len(history.ids), horizon)
            return np.where(np.isfinite(result), result, history.values[:, -1:])

        return forecast


def _fallback(horizon: int) -> Forecaster:
    from forecasts.models.batched import seasonal_naive

    return lambda history: seasonal_naive(history.values, horizon)


def _features(panel: Panel, origin: int, horizon: int, seasons: tuple[int, ...]) -> tuple[Any, Any, Any]:
    """Features [series * horizon, k], the last known seasonal value, and the scale of rows with that origin."""
    import numpy as np

    past = panel.values[:, :origin]
    n, width = past.shape
    recent = past[:, -min(width, 4 * max(seasons)) :]
    with np.errstate(all="ignore"):
        scale = np.nanmean(np.abs(recent), axis=1)
    scale = np.where(np.isfinite(scale) & (scale > 1e-12), scale, 1.0)
    steps = np.arange(1, horizon + 1)
    columns: list[Any] = [np.broadcast_to(steps, (n, horizon))]

    def at(back: Any) -> Any:
        """Values `back` steps before each target; NaN where unknown."""
        index = width - 1 + steps - back
        known = (index >= 0) & (index < width)
        return np.where(known, past[:, np.clip(index, 0, width - 1)], np.nan)

    base: Any = None
    for season in seasons:
        ahead = -(-steps // season) * season  # whole seasons back, so that the value is known
        value = at(ahead)
        base = value if base is None or np.isfinite(value).all() else base
        earlier = np.stack([at(ahead + k * season) for k in range(4)])
        known = np.isfinite(earlier)
        mean = np.where(known, earlier, 0.0).sum(0) / np.maximum(known.sum(0), 1)
        columns += [v / scale[:, None] for v in (value, earlier[1], np.where(known.any(0), mean, np.nan))]
    last = past[:, -1:]
    base = np.where(np.isfinite(base), base, np.where(np.isfinite(last), last, 0.0))
    for span in (1, 3, seasons[0], max(seasons)):
        window = past[:, -min(span, width) :]
        with np.errstate(all="ignore"):
            level = window.mean(1) / scale
        columns.append(np.broadcast_to(level[:, None], (n, horizon)))
    start = np.asarray(panel.ends)[:, None] - (panel.values.shape[1] - origin) * panel.step
    times = start + steps[None, :] * panel.step
    day = 86_400_000
    columns += [(times // 3_600_000) % 24, (times // day + 3) % 7, (times % day) // panel.step]
    features = np.stack([np.broadcast_to(c, (n, horizon)) for c in columns], axis=2)
    rows = features.reshape(n * horizon, -1).astype(np.float32)
    return rows, base.ravel(), np.repeat(scale, horizon)
