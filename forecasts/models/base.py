"""What a model is, and the models by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from forecasts.series import Panel

if TYPE_CHECKING:
    from forecasts.series import Matrix

# From a history to its next `horizon` steps: [series, horizon].
Forecaster = Callable[[Panel], "Matrix"]


class Model(Protocol):
    """A way to forecast. Fitting gives a forecaster that takes any history of the same series."""

    @property
    def name(self) -> str:
        """Its name in specs and results."""

    def fit(self, panel: Panel, horizon: int, seasons: tuple[int, ...]) -> Forecaster:
        """Learn from a panel. The forecaster may be given that panel, a later or an earlier one."""


@dataclass(frozen=True, slots=True)
class Batched:
    """A model of `batched.py`; it has nothing to remember."""

    name: str
    function: Callable[[Matrix, int, int], Matrix]
    longest_season: bool = False

    def fit(self, panel: Panel, horizon: int, seasons: tuple[int, ...]) -> Forecaster:
        """Bind horizon and season: the shortest one, or for seasonal naive the longest that fits twice."""
        fits = [s for s in seasons if 2 * s <= panel.values.shape[1]]
        season = (fits[-1] if self.longest_season else fits[0]) if fits else 1
        return lambda history: self.function(history.values, horizon, season)


def find_model(name: str) -> Model:
    """The model of that name, imported when first asked for. Raises KeyError."""
    from forecasts.models import batched

    if name == "ets":
        from forecasts.models.ets import Ets

        return Ets()
    if name == "xgboost":
        from forecasts.models.gbm import GradientBoosting

        return GradientBoosting()
    return {
        "seasonal_naive": Batched("seasonal_naive", batched.seasonal_naive, longest_season=True),
        "theta": Batched("theta", batched.theta, longest_season=True),
        "holt_winters": Batched("holt_winters", batched.holt_winters),
    }[name]
