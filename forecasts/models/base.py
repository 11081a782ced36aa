"""What a model is, and the models by name.

A model learns from a panel and gives a fitted one, which forecasts from any history of the same series. Fitted models
are plain data (arrays and numbers), so that they can be kept between refreshes and only shown what is new.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from forecasts.series import Panel
from forecasts.transform import Transform

if TYPE_CHECKING:
    from forecasts.series import Matrix


class Fitted(Protocol):
    """A fitted model: a dataclass of arrays, numbers and the like, as `codec` keeps them."""

    def __call__(self, history: Panel) -> Matrix:
        """The steps after a history of the series it was fitted on: [series, horizon]."""


class Method(Protocol):
    """The inside of a model: it sees scaled values and may answer anything; the model keeps answers finite."""

    def __call__(self, panel: Panel, horizon: int, seasons: tuple[int, ...]) -> Fitted:
        """Learn."""


@dataclass(frozen=True, slots=True)
class Model:
    """A way to forecast, by its name in specs and results."""

    name: str
    method: Method

    def fit(self, panel: Panel, horizon: int, seasons: tuple[int, ...]) -> Scaled:
        """Learn from a panel [series, time]; `seasons` ascend, in steps. Seasons that do not fit twice are left out."""
        fits = tuple(s for s in seasons if s > 1 and 2 * s <= min(panel.lengths)) or (1,)
        transform = Transform.fit(panel.values)
        scaled = replace(panel, values=transform.forward(panel.values))
        return Scaled(transform, self.method(scaled, horizon, fits), horizon)


@dataclass(slots=True)
class Scaled:
    """A fitted model between the series' own scales and the model's."""

    transform: Transform
    inner: Fitted
    horizon: int

    def __call__(self, history: Panel) -> Matrix:
        """Finite forecasts [series, horizon] in the series' unit."""
        return self.transform.back(
            self.inner(replace(history, values=self.transform.forward(history.values)))
        )


NAMES = (
    "seasonal_naive",
    "ses",
    "holt",
    "damped",
    "theta",
    "holt_winters",
    "autoregression",
    "direct",
    "xgboost",
    "ets",
    "sarimax",
    "unobserved",
    "stl",
)
STL = "stl+"  # before any other name: the season taken out by STL; "stl" alone is stl+ets


def is_model(name: str) -> bool:
    """Whether there is a model of that name."""
    return name in NAMES or (name.startswith(STL) and name.removeprefix(STL) in NAMES[:-1])


def find_model(name: str) -> Model:
    """The model of that name; its libraries are imported when it is first fitted. Raises KeyError."""
    from forecasts.models import direct, gbm, linear, naive, smoothing, statistical, stl

    if name == "stl" or name.startswith(STL):
        inner = find_model(name.removeprefix(STL) if name != "stl" else "ets")
        return Model(name, partial(stl.fit, inner=inner.method))
    methods: dict[str, Any] = {
        "seasonal_naive": naive.fit,
        "autoregression": linear.fit,
        "direct": direct.fit,
        "xgboost": gbm.fit,
        "ets": statistical.fit_ets,
        "sarimax": statistical.fit_sarimax,
        "unobserved": statistical.fit_unobserved,
    }
    if name in smoothing.FAMILY:
        return Model(name, smoothing.FAMILY[name].fit)
    method: Callable[..., Fitted] = methods[name]
    return Model(name, method)
