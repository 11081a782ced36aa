"""A fit: what the backtest chose for some series, fitted, with bands; it forecasts from any later history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forecasts.backtest import FLOOR, Ensemble, fit_chosen, run_backtest
from forecasts.hierarchy import covariance
from forecasts.intervals import Bands, make_bands
from forecasts.series import Panel
from forecasts.spec import Spec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from forecasts.series import Matrix

TOGETHER = 1_000  # series
SAME = 1e-9  # values this close, relatively, are the same


@dataclass(slots=True)
class Fit:
    """`errors` are the combination's mean absolute errors over the folds per series, `naive_errors` seasonal naive's;
    `model_errors` [model, series] those of each model and `weights` what it counts; `covered` the share of the folds'
    values within each level's band, in percent; `covariance` is that of the
    errors, with totals; `made_at` is in milliseconds."""

    ids: tuple[tuple[Any, ...], ...]
    names: tuple[str, ...]
    models: tuple[str, ...]
    model_errors: Matrix
    weights: Matrix
    errors: NDArray[np.float64]
    naive_errors: NDArray[np.float64]
    covered: dict[int, float]
    ensemble: Ensemble
    bands: Bands
    ends: tuple[int, ...]
    tail: Matrix
    covariance: NDArray[np.float64]
    made_at: int = 0

    def forecast(self, panel: Panel) -> Matrix:
        """Next steps [series, horizon] after a history of the same series, which may have gone on since. Where the last
        values that the models saw have changed, they go through the whole history anew."""
        if self.is_revised(panel):
            self.ensemble.forget()
        mean: Matrix = self.ensemble(panel)
        return mean

    def is_revised(self, panel: Panel) -> bool:
        """Whether a history differs from what was fitted in its last values (`tail` [series, time])."""
        import numpy as np

        count = self.tail.shape[1]
        behind = (np.asarray(panel.ends) - np.asarray(self.ends)) // panel.step
        at = panel.values.shape[1] - behind[:, None] + np.arange(-count, 0)
        now = np.take_along_axis(panel.values, np.clip(at, 0, panel.values.shape[1] - 1), axis=1)
        both = (at >= 0) & (behind[:, None] >= 0) & np.isfinite(now) & np.isfinite(self.tail)
        return bool((both & (np.abs(now - self.tail) > SAME * np.abs(self.tail))).any())


def fit_panel(panel: Panel, spec: Spec, *, on_model: Callable[[str], None] | None = None) -> Fit:
    """Backtest and fit series that are all long enough (see `Spec.minimum`)."""
    panel = panel.tail(spec.window)
    shortest = min(panel.lengths)
    seasons = tuple(s for s in spec.seasons_for(panel.step) if 2 * s < shortest) or (1,)
    test = run_backtest(
        panel,
        horizon=max(1, min(spec.horizon, shortest // 3)),
        seasons=seasons,
        models=spec.models,
        folds=spec.folds,
        on_model=on_model,
    )
    honest = test.honest()
    bands = make_bands(panel.values, honest, test.actuals, spec.levels)
    return Fit(
        ids=panel.ids,
        names=tuple(map(test.name_of, range(len(panel.ids)))),
        models=test.models,
        model_errors=test.errors,
        weights=test.weights,
        errors=test.combined_errors,
        naive_errors=test.error_of(FLOOR),
        covered=bands.covered(honest, test.actuals),
        ensemble=fit_chosen(panel, test, horizon=spec.horizon, seasons=seasons),
        bands=bands,
        ends=panel.ends,
        covariance=covariance(test.actuals - honest) if spec.totals else test.combined_errors**2,
        tail=panel.values[:, -max(spec.horizon, seasons[-1]) :].copy(),
    )


def group_by_length(panel: Panel, rows: list[int], spec: Spec) -> list[list[int]]:
    """Rows of like length: a backtest has as many folds as its shortest series allows, so these go together;
    and at most so many that what is done shows, and is kept, before all is."""
    groups: dict[int, list[int]] = {}
    full = (spec.folds + 1) * spec.horizon + 2 * max(spec.seasons_for(panel.step))
    for i in rows:
        length = min(panel.lengths[i], spec.window)
        groups.setdefault(full if length >= full else length.bit_length(), []).append(i)
    return [rows[i : i + TOGETHER] for rows in groups.values() for i in range(0, len(rows), TOGETHER)]
