"""Rolling-origin backtest: how wrong each model would have been.

A model is fitted once, at the first origin, and then only shown more history; so its later folds are honest and cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forecasts.models.base import Scaled, find_model
from forecasts.series import Panel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from forecasts.series import Matrix

FLOOR = "seasonal_naive"
COMBINATION = "combination"
# weights are errors to this negative power; the next one where the floor is missed
SHARPER = (1.0, 2.0, 4.0, 8.0, 16.0)
SHARED = 0.4  # how far a series' errors are drawn to those of all: its own folds are few
LEAST_WEIGHT = 0.02
USUAL = (
    1 / 2
)  # share of the folds in which what is chosen must be as good as the floor, whatever the mean says
SINGLE = 0.95  # a model of that weight gives its name to the forecast


@dataclass(frozen=True, slots=True)
class Backtest:
    """`forecasts` and `actuals` are [model, fold, series, step] and [fold, series, step]; `errors` [model, series] are
    mean absolute errors over folds and steps. `weights` [model, series] say what is combined, and `combined_errors`
    [series] how wrong that would have been: never more than seasonal naive."""

    models: tuple[str, ...]
    forecasts: NDArray[np.float64]
    actuals: NDArray[np.float64]
    errors: Matrix
    weights: Matrix
    combined_errors: NDArray[np.float64]

    def error_of(self, model: str) -> NDArray[np.float64]:
        """A model's error per series."""
        row: NDArray[np.float64] = self.errors[self.models.index(model)]
        return row

    def combined(self) -> NDArray[np.float64]:
        """Forecasts of the combination: [fold, series, step]."""
        return combine(self.weights, self.forecasts)

    def honest(self) -> NDArray[np.float64]:
        """Forecasts [fold, series, step] of the combinations that the other folds would have chosen: what intervals
        are made from, for the chosen one has seen these folds."""
        import numpy as np

        folds = self.forecasts.shape[1]
        if folds == 1:
            return self.combined()
        made = []
        for fold in range(folds):
            others = np.delete(self.forecasts, fold, axis=1)
            actuals = np.delete(self.actuals, fold, axis=0)
            errors = np.abs(others - actuals).mean(axis=(1, 3))
            weights, _ = choose(others, actuals, errors)
            made.append(combine(weights, self.forecasts[:, [fold]])[0])
        return np.stack(made)

    def name_of(self, row: int) -> str:
        """What a series' forecast is called: its one model, or "combination"."""
        best = int(self.weights[:, row].argmax())
        return self.models[best] if self.weights[best, row] >= SINGLE else COMBINATION


def count_folds(panel: Panel, horizon: int, wanted: int, seasons: tuple[int, ...]) -> int:
    """How many folds the shortest series allows: as many as leave three of the longest seasons to fit on, else one or
    two that leave two of the shortest."""
    enough, least = (min(panel.lengths) - max(n, 10) for n in (3 * seasons[-1], 2 * seasons[0]))
    folds = max(enough // horizon, min(2, least // horizon))
    return max(1, min(wanted, folds))


def run_backtest(
    panel: Panel,
    *,
    horizon: int,
    seasons: tuple[int, ...],
    models: tuple[str, ...],
    folds: int,
    on_model: Callable[[str], None] | None = None,
) -> Backtest:
    """Backtest `models` (seasonal naive is always among them) on the last `folds` horizons of the panel."""
    import numpy as np

    names = tuple(dict.fromkeys((FLOOR, *models)))
    folds = count_folds(panel, horizon, folds, seasons)
    starts = [horizon * k for k in range(folds, 0, -1)]
    actuals = np.stack([panel.cut(s - horizon).values[:, -horizon:] for s in starts])
    made = []
    for name in names:
        if on_model:
            on_model(name)
        made.append(np.stack(list(_folds(panel, starts, name, horizon, seasons))))
    forecasts = np.stack(made)
    errors = np.abs(forecasts - actuals).mean(axis=(1, 3))
    weights, combined = choose(forecasts, actuals, errors)
    return Backtest(names, forecasts, actuals, errors, weights, combined)


def choose(
    forecasts: NDArray[np.float64], actuals: NDArray[np.float64], errors: Matrix
) -> tuple[Matrix, NDArray[np.float64]]:
    """Weights [model, series] by the models' errors, and the combination's errors [series]. Where the combination is
    worse than the first model, the floor, weights are sharpened, at last to the best model alone; and where that is
    better on average only, for a few folds unlike the others, but worse on most, the floor it is."""
    import numpy as np

    floor = errors[0]
    each = np.abs(forecasts - actuals).mean(axis=3)  # [model, fold, series]

    def usually(found: Any, rows: Any = slice(None)) -> Any:
        return (found <= each[0][:, rows]).sum(0) >= USUAL * len(actuals)

    best = np.maximum(errors.min(0), 1e-300)
    ratio = np.log(np.maximum(errors, 1e-300) / best)
    ratio = (1 - SHARED) * ratio + SHARED * np.median(ratio, axis=1, keepdims=True)
    single = errors.argmin(0)
    single[~usually(np.take_along_axis(each, single[None, None], axis=0)[0])] = 0
    chosen = np.eye(len(errors))[single].T
    result = np.take_along_axis(errors, single[None], axis=0)[0]
    open_ = np.flatnonzero(best > 1e-300)
    for power in SHARPER:
        weights = np.exp(-power * (ratio - ratio.min(0)))[:, open_]
        weights /= weights.sum(0)
        weights[weights < LEAST_WEIGHT] = 0.0
        weights /= weights.sum(0)
        missed = np.abs(combine(weights, forecasts[:, :, open_]) - actuals[:, open_]).mean(axis=2)
        good = (missed.mean(0) <= floor[open_]) & usually(missed, open_)
        chosen[:, open_[good]], result[open_[good]] = weights[:, good], missed.mean(0)[good]
        open_ = open_[~good]
        if not len(open_):
            break
    return chosen, result


def combine(weights: Matrix, forecasts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted medians over models: [model, series] and [model, fold, series, step] -> [fold, series, step].

    Each forecast stands at the middle of its weight, in order of value; between two it is a straight line. So one model
    that goes wrong, as each does at times, pulls no farther than to its neighbour, unlike in a mean.
    """
    import numpy as np

    wide = np.broadcast_to(weights[:, None, :, None], forecasts.shape)
    order = np.argsort(np.where(wide > 0, forecasts, np.inf), axis=0)
    values = np.take_along_axis(forecasts, order, axis=0)
    wide = np.take_along_axis(wide, order, axis=0)
    middle = np.cumsum(wide, axis=0) - wide / 2
    half = wide.sum(0, keepdims=True) / 2
    count = (wide > 0).sum(0, keepdims=True)
    left = np.maximum((middle <= half).sum(0, keepdims=True) - 1, 0)
    left = np.minimum(left, count - 1)
    right = np.minimum(left + 1, count - 1)
    start, stop = (np.take_along_axis(middle, at, axis=0)[0] for at in (left, right))
    low, high = (np.take_along_axis(values, at, axis=0)[0] for at in (left, right))
    share = np.clip((half[0] - start) / np.where(stop > start, stop - start, 1.0), 0.0, 1.0)
    result: NDArray[np.float64] = low + (high - low) * np.where(stop > start, share, 0.0)
    return result


def _folds(
    panel: Panel, starts: list[int], name: str, horizon: int, seasons: tuple[int, ...]
) -> Iterator[Matrix]:
    forecaster = find_model(name).fit(panel.cut(starts[0]), horizon, seasons)
    for start in starts:
        yield forecaster(panel.cut(start))


@dataclass(slots=True)
class Ensemble:
    """Fitted models and their weights [model, series]; forecasts like any fitted model."""

    fitted: dict[str, Scaled]
    weights: Matrix
    models: tuple[str, ...]

    def __call__(self, history: Panel) -> Matrix:
        """Combined forecasts [series, horizon]."""
        import numpy as np

        made = np.stack([self.fitted[name](history) for name in self.fitted])
        rows = [self.models.index(name) for name in self.fitted]
        combined: Matrix = combine(self.weights[rows], made[:, None])[0]
        return combined

    def forget(self) -> None:
        """Drop the states that models keep: the next history is gone through anew."""
        for scaled in self.fitted.values():
            if hasattr(scaled.inner, "forget"):
                scaled.inner.forget()


def fit_chosen(panel: Panel, test: Backtest, *, horizon: int, seasons: tuple[int, ...]) -> Ensemble:
    """What the backtest chose, fitted on the whole panel."""
    names = [n for i, n in enumerate(test.models) if test.weights[i].any()]
    fitted = {n: find_model(n).fit(panel, horizon, seasons) for n in names}
    return Ensemble(fitted, test.weights, test.models)
