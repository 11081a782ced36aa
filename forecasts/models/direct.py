"""One linear map per series from its last season to its next steps: ridge regression of all steps at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from forecasts.models import naive
from forecasts.series import Panel

if TYPE_CHECKING:
    from forecasts.models.base import Fitted
    from forecasts.series import Matrix

WINDOW = 4_000  # steps that are learned from
LONGEST = 192  # inputs
RIDGE = 0.1  # of an input's variance times the number of windows
SHARE = 8  # a series has at least so many steps an input


@dataclass(slots=True)
class Direct:
    """`weights` [series, input, step] map the last inputs, less their last season's mean, to the next steps."""

    season: int
    weights: Matrix

    def __call__(self, history: Panel) -> Matrix:
        """Forecasts [series, horizon]."""
        import numpy as np

        recent = np.nan_to_num(history.values[:, -self.weights.shape[1] :])
        level = recent[:, -self.season :].mean(1, keepdims=True)
        result: Matrix = level + np.einsum("ni,nih->nh", recent - level, self.weights)
        return result


def fit(panel: Panel, horizon: int, seasons: tuple[int, ...]) -> Fitted:
    """Solve per series; a panel too short for it repeats its last season."""
    import numpy as np

    inputs = min(LONGEST, seasons[-1] + seasons[0], (min(panel.lengths) - horizon) // SHARE)
    if inputs < max(seasons[0], 4):
        return naive.fit(panel, horizon, seasons)
    season = max(seasons[0], 1)
    weights = np.empty((len(panel.ids), inputs, horizon))
    for i, length in enumerate(panel.lengths):
        line = panel.values[i, -min(length, WINDOW) :]
        windows = np.lib.stride_tricks.sliding_window_view(line[np.isfinite(line)], inputs + horizon)
        level = windows[:, inputs - season : inputs].mean(1, keepdims=True)
        moved = windows - level
        given, wanted = moved[:, :inputs], moved[:, inputs:]
        gram = given.T @ given
        gram[np.diag_indices(inputs)] += RIDGE * np.trace(gram) / inputs + 1e-9
        weights[i] = np.linalg.solve(gram, given.T @ wanted)
    return Direct(season, weights)
