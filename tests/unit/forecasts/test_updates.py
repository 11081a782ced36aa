"""A new observation is a step of the filter: as a refit would be that had to use the same parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from forecasts.fitting import fit_panel
from forecasts.models import statistical, stl
from forecasts.models.base import find_model
from forecasts.models.statistical import Quietly
from forecasts.series import Panel, build_panel
from forecasts.spec import Spec

HOUR, N, SEASON, HORIZON = 3_600_000, 168, 12, 6
Vector = NDArray[np.float64]
RNG = np.random.default_rng(5)
LINE = (
    20 + 5 * np.sin(2 * np.pi * np.arange(N) / SEASON) + np.cumsum(RNG.normal(0, 0.3, N)) + RNG.normal(size=N)
)
WEEKEND = (np.arange(N + 200) // 24 % 7 >= 5) * 1.0


def panel(length: int, gap: tuple[int, ...] = (), known: bool = False) -> Panel:
    """The first steps of the line; some missing."""
    values = LINE[:length].copy()
    values[list(gap)] = np.nan
    regressors = (WEEKEND[None, : length + HORIZON],) if known else ()
    return Panel((("a",),), values[None], ((length - 1) * HOUR,), (length,), HOUR, regressors)


def oracle(fitted: statistical.StateSpace, params: Vector, given: Panel) -> Vector:
    """statsmodels over the whole line with parameters that are given."""
    line = given.values[0]
    known = statistical.regressors(given, 0, HORIZON, len(line), fitted.waves)
    past, future = (None, None) if known is None else (known[: len(line)], known[len(line) :])
    with Quietly():
        results = statistical.make_model(fitted.kind, line, past, SEASON).smooth(params)
        found: Vector = results.forecast(HORIZON, **({} if future is None else {"exog": future}))
    return found


SLOW = pytest.param("sarimax", marks=pytest.mark.slow)


@pytest.mark.parametrize("kind", [SLOW, "unobserved"])
@pytest.mark.parametrize("known", [False, True])
def test_state_space_models_extend_as_a_refit_with_their_parameters(kind: str, known: bool) -> None:
    fit = statistical.fit_sarimax if kind == "sarimax" else statistical.fit_unobserved
    fitted = fit(panel(150, known=known), HORIZON, (SEASON,))
    [row] = fitted.rows
    assert row is not None
    params = row.params.copy()
    gap = (153, 154, 160)
    # nothing new, one, several with a gap, one after a gap, many
    for length in (150, 151, 155, 156, N):
        given = panel(length, tuple(g for g in gap if g < length), known)
        assert np.allclose(fitted(given)[0], oracle(fitted, params, given), rtol=1e-6, atol=1e-6), length
    assert np.array_equal(row.params, params)
    fitted.forget()
    assert np.allclose(fitted(panel(N, gap, known))[0], oracle(fitted, params, panel(N, gap, known)))


def smooth(line: Vector, fitted_on: int) -> Vector:
    """statsmodels' Holt-Winters with the parameters and the start that it finds for the first steps."""
    with Quietly():
        results = statistical._ets(line[:fitted_on], SEASON).fit(use_brute=False)
        names = ("smoothing_level", "smoothing_trend", "smoothing_seasonal", "damping_trend")
        from statsmodels.tsa.holtwinters import ExponentialSmoothing

        again = ExponentialSmoothing(
            line,
            trend="add",
            damped_trend=True,
            seasonal="add",
            seasonal_periods=SEASON,
            initialization_method="known",
            initial_level=results.params["initial_level"],
            initial_trend=results.params["initial_trend"],
            initial_seasonal=results.params["initial_seasons"],
        ).fit(optimized=False, **{n: results.params[n] for n in names})
        found: Vector = again.forecast(HORIZON)
    return found


def test_exponential_smoothing_extends_as_a_refit_with_its_parameters() -> None:
    fitted = statistical.fit_ets(panel(150), HORIZON, (SEASON,))
    for length in (150, 151, 155, N):
        assert np.allclose(fitted(panel(length))[0], smooth(LINE[:length], 150), rtol=1e-6), length


@pytest.mark.parametrize("inner", [SLOW, "unobserved", "theta", "ets"])
def test_stl_extends_what_is_inside(inner: str) -> None:
    fitted = stl.fit(panel(150), HORIZON, (SEASON,), find_model(inner).method)
    cycle = fitted.cycle[0]
    rest = LINE - np.resize(np.roll(cycle, 150 % SEASON), N)
    alone = find_model(inner).method(replace(panel(150), values=rest[None, :150]), HORIZON, (1,))
    for length in (150, 151, 155, N):
        back = cycle[(np.arange(length, length + HORIZON) - 150) % SEASON]
        given = replace(panel(length), values=rest[None, :length])
        assert np.allclose(fitted(panel(length))[0], alone(given)[0] + back), length
    assert np.ptp(cycle) > 5, "the season was found"


@pytest.mark.parametrize("model", ["ses", "holt_winters", "theta", "ets", "stl+ses"])
def test_series_that_stand_still_or_lag_wait_for_the_others(model: str) -> None:
    def part(last: tuple[int, ...]) -> Panel:
        width = max(last)
        values = np.full((len(last), width), np.nan)
        for row, n in zip(values, last, strict=True):
            row[width - n :] = LINE[:n]
        ends = tuple((n - 1) * HOUR for n in last)
        return Panel(tuple((str(i),) for i in range(len(last))), values, ends, last, HOUR)

    together = find_model(model).fit(part((150, 150, 150)), HORIZON, (SEASON,))
    together(part((153, 150, 151)))
    found = together(part((153, 157, 151)))
    for i, n in enumerate((153, 157, 151)):
        alone = find_model(model).fit(part((150, 150, 150)), HORIZON, (SEASON,))
        assert np.allclose(found[i], alone(part((n, n, n)))[i]), n


def test_what_was_seen_and_then_revised_is_gone_through_anew() -> None:
    spec = Spec(
        "f", "S", ("K",), "V", "T", seasons=(SEASON,), horizon=HORIZON, models=("theta", "ets"), folds=2
    )
    fitted = fit_panel(panel(150), spec)
    assert not fitted.is_revised(panel(153))
    before = fitted.forecast(panel(153))
    revised = panel(153)
    revised.values[0, 145:150] += 8.0
    assert fitted.is_revised(revised)
    assert np.abs(fitted.forecast(revised) - before).max() > 0.5
    assert not fitted.is_revised(panel(150).cut(20)), "what is older says nothing"


def test_a_gap_that_is_filled_in_later_counts_as_revised() -> None:
    def rows(length: int, gap: tuple[int, ...]) -> Any:
        return ((("a",), h * HOUR, LINE[h]) for h in range(length) if h not in gap)

    spec = Spec("f", "S", ("K",), "V", "T", seasons=(SEASON,), horizon=HORIZON, models=("theta",), folds=2)
    fitted = fit_panel(build_panel(rows(150, (147, 148)), step=HOUR, gaps="interpolate"), spec)
    assert not fitted.is_revised(build_panel(rows(152, (147, 148, 150)), step=HOUR, gaps="interpolate"))
    assert fitted.is_revised(build_panel(rows(152, ()), step=HOUR, gaps="interpolate"))
