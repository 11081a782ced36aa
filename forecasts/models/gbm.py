"""One XGBoost model for all series: direct forecasts, the step ahead being a feature.

What a row holds is in `gbm_features`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forecasts.models import naive
from forecasts.models.base import Fitted
from forecasts.models.gbm_features import Layout, Rows
from forecasts.series import Panel
from ksqlkit.imports import import_xgboost

if TYPE_CHECKING:
    from forecasts.series import Matrix

ROWS_LEAST, ROWS_A_SERIES, ROWS_MOST = 15_000, 500, 120_000  # training rows; origins are thinned out to that
LEAST = 50  # rows below which there is nothing to learn
ROUNDS = 150
CLIP = 20.0  # targets are held to so many of a series' usual changes
PARAMS: dict[str, Any] = {
    "objective": "reg:squarederror",
    "eta": 0.08,
    "max_depth": 6,
    "subsample": 0.7,
    "colsample_bytree": 0.6,
    "min_child_weight": 20,
    "max_bin": 128,
    "tree_method": "hist",
    "nthread": 1,  # more threads wait for each other in turns where the machine has other work: five times slower
    "seed": 7,
    "verbosity": 0,
}


@dataclass(slots=True)
class Boosted:
    """A trained booster and the layout of its rows."""

    layout: Layout
    booster: Any

    def __call__(self, history: Panel) -> Matrix:
        """Forecasts [series, horizon]; where a series is too short for a base, its last value."""
        import numpy as np

        layout = self.layout
        recent = history.tail(layout.reach)
        rows, base, scale = Rows(recent, layout).make([recent.values.shape[1]], range(layout.horizon))
        change = np.clip(self.booster.inplace_predict(rows), -CLIP, CLIP)
        result: Matrix = (base + change * scale).reshape(len(history.ids), layout.horizon)
        return np.where(np.isfinite(result), result, history.values[:, -1:])


def fit(panel: Panel, horizon: int, seasons: tuple[int, ...]) -> Fitted:
    """Train on origins spread over all of the panel that has a longest period behind it, as many as the budget allows;
    with too little to learn from, the last season again."""
    import numpy as np

    periods = (1, *(s for s in seasons if s > 1))
    width = panel.values.shape[1]
    first = max(min(max(periods) + 1, width // 2), 1)
    origins = np.arange(first, width - horizon + 1)
    if len(origins) == 0:
        return naive.fit(panel, horizon, seasons)
    behind = np.isfinite(panel.values).sum(0)[origins - first]  # series that began a period before
    budget = min(ROWS_MOST, ROWS_LEAST + ROWS_A_SERIES * len(panel.ids))
    thin = max(1, int(np.ceil(behind.sum() * horizon / budget)))
    origins = origins[::-1][::thin][::-1]
    layout = Layout(periods, horizon, naive.choose_base(panel.values, horizon, periods))
    rows, base, scale = Rows(panel, layout).make(origins, range(horizon))
    actual = panel.values[:, origins[:, None] + np.arange(horizon)].reshape(-1)
    target = np.clip((actual - base) / scale, -CLIP, CLIP)
    usable = np.isfinite(target)
    if usable.sum() < LEAST:
        return naive.fit(panel, horizon, seasons)
    xgb = import_xgboost()
    data = xgb.QuantileDMatrix(rows[usable], target[usable], max_bin=PARAMS["max_bin"])
    return Boosted(layout, xgb.train(PARAMS, data, ROUNDS))
