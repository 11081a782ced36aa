"""Rolling-origin backtest: how wrong each model would have been, and which to take.

A model is fitted once, at the first origin, and then only shown more history; so its later folds are honest and cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from forecasts.models.base import Forecaster, find_model
from forecasts.series import Panel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from forecasts.series import Matrix

FLOOR = "seasonal_naive"
COMBINATION = "combination"


@dataclass(frozen=True, slots=True)
class Backtest:
    """`forecasts` and `actuals` are [model, fold, series, step] and [fold, series, step]; `errors` [model, series] are
    mean absolute errors over folds and steps. `chosen` indexes `models` for each series; the last model is the mean
    of each series' two best."""

    models: tuple[str, ...]
    forecasts: NDArray[np.float64]
    actuals: NDArray[np.float64]
    errors: Matrix
    chosen: NDArray[np.int64]
    pairs: NDArray[np.int64]  # [series, 2]: what the combination combines

    def error_of(self, model: str) -> NDArray[np.float64]:
        """A model's error per series."""
        row: NDArray[np.float64] = self.errors[self.models.index(model)]
        return row

    def residuals(self) -> NDArray[np.float64]:
        """Actual minus forecast of the chosen model: [fold, series, step]."""
        import numpy as np

        rows = np.arange(len(self.chosen))
        picked = self.forecasts[self.chosen, :, rows, :]  # [series, fold, step]
        result: NDArray[np.float64] = self.actuals - picked.transpose(1, 0, 2)
        return result


def cut(panel: Panel, steps: int) -> Panel:
    """The panel without its last `steps` columns."""
    if steps == 0:
        return panel
    ends = tuple(e - steps * panel.step for e in panel.ends)
    lengths = tuple(max(0, n - steps) for n in panel.lengths)
    return Panel(panel.ids, panel.values[:, :-steps], ends, lengths, panel.step)


def count_folds(panel: Panel, horizon: int, wanted: int, seasons: tuple[int, ...]) -> int:
    """How many folds the shortest series allows, leaving two seasons (or 10 steps) to fit on; at least 1."""
    spare = min(panel.lengths) - max(2 * seasons[0], 10)
    return max(1, min(wanted, spare // max(1, horizon)))


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
    actuals = np.stack([cut(panel, s - horizon).values[:, -horizon:] for s in starts])
    made = []
    for name in names:
        if on_model:
            on_model(name)
        made.append(np.stack(list(_folds(panel, starts, name, horizon, seasons))))
    forecasts = np.stack(made)
    errors = np.abs(forecasts - actuals).mean(axis=(1, 3))
    pairs = np.argsort(errors, axis=0, kind="stable")[:2].T
    if len(names) > 1:
        rows = np.arange(len(panel.ids))
        mean = (forecasts[pairs[:, 0], :, rows, :] + forecasts[pairs[:, 1], :, rows, :]) / 2
        forecasts = np.concatenate([forecasts, mean.transpose(1, 0, 2)[None]])
        errors = np.abs(forecasts - actuals).mean(axis=(1, 3))
        names = (*names, COMBINATION)
    else:
        pairs = np.repeat(pairs, 2, axis=1)
    return Backtest(names, forecasts, actuals, errors, errors.argmin(axis=0), pairs)


def _folds(
    panel: Panel, starts: list[int], name: str, horizon: int, seasons: tuple[int, ...]
) -> Iterator[Matrix]:
    forecaster: Forecaster = find_model(name).fit(cut(panel, starts[0]), horizon, seasons)
    for start in starts:
        yield forecaster(cut(panel, start))


def forecast_chosen(panel: Panel, test: Backtest, *, horizon: int, seasons: tuple[int, ...]) -> Matrix:
    """Each series' next steps by the model its backtest chose, fitted on the whole panel: [series, horizon]."""
    import numpy as np

    needed = set()
    for row, choice in enumerate(test.chosen):
        name = test.models[choice]
        needed |= {test.models[i] for i in test.pairs[row]} if name == COMBINATION else {name}
    made = {n: find_model(n).fit(panel, horizon, seasons)(panel) for n in sorted(needed)}
    rows = []
    for row, choice in enumerate(test.chosen):
        name = test.models[choice]
        names = [test.models[i] for i in test.pairs[row]] if name == COMBINATION else [name]
        rows.append(np.mean([made[n][row] for n in names], axis=0))
    return np.stack(rows)
