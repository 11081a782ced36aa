"""One list of checks that every model passes."""

import numpy as np
import pytest

from forecasts.models.base import find_model
from forecasts.series import Panel
from forecasts.spec import MODELS

HORIZON = 12
N = 120
RNG = np.random.default_rng(3)
TIME = np.arange(N)
SEASONAL = 10 + 5 * np.sin(2 * np.pi * TIME / 12)

SERIES = {
    "constant": np.full(N, 5.0),
    "zero": np.zeros(N),
    "tiny": 1e-9 * SEASONAL,
    "huge": 1e12 * SEASONAL,
    "negative": -SEASONAL,
    "trending": TIME * 2.0,
    "intermittent": np.where(TIME % 9 == 0, 3.0, 0.0),
    "noise": RNG.normal(size=N),
    "step": np.where(TIME < 60, 1.0, 100.0),
    "seasonal": SEASONAL + RNG.normal(size=N) * 0.1,
}


def panel(*rows: np.ndarray) -> Panel:
    values = np.stack(rows)
    return Panel(
        tuple((str(i),) for i in range(len(rows))),
        values,
        (0,) * len(rows),
        (values.shape[1],) * len(rows),
        3_600_000,
    )


SLOW = ("sarimax", "unobserved")
EVERY = [pytest.param(m, marks=pytest.mark.slow) if m in SLOW else m for m in MODELS]


@pytest.mark.parametrize("model", EVERY)
@pytest.mark.parametrize("shape", SERIES)
def test_forecasts_are_finite_and_of_the_right_length(model: str, shape: str) -> None:
    given = panel(SERIES[shape], SERIES["seasonal"])
    result = find_model(model).fit(given, HORIZON, (12,))(given)
    assert result.shape == (2, HORIZON)
    assert np.isfinite(result).all()
    spread = np.ptp(SERIES[shape]) + abs(SERIES[shape]).max()
    assert np.abs(result[0]).max() <= (10 * spread or 1e-3), "the forecast explodes"


@pytest.mark.parametrize("model", EVERY)
@pytest.mark.parametrize("length", [3, 5, 13, 26])
def test_short_series_do_not_break_a_model(model: str, length: int) -> None:
    given = panel(SERIES["seasonal"][:length])
    result = find_model(model).fit(given, HORIZON, (12,))(given)
    assert result.shape == (1, HORIZON)
    assert np.isfinite(result).all()


@pytest.mark.parametrize("model", ["theta", "holt_winters", "ets"])
def test_a_clean_season_is_continued(model: str) -> None:
    given = panel(SEASONAL)
    result = find_model(model).fit(given, HORIZON, (12,))(given)
    truth = 10 + 5 * np.sin(2 * np.pi * (N + np.arange(HORIZON)) / 12)
    assert np.abs(result[0] - truth).mean() < 1.0  # the season's amplitude is 5


def test_seasonal_naive_repeats_the_last_season() -> None:
    given = panel(20 + np.arange(24.0) % 4)
    result = find_model("seasonal_naive").fit(given, 5, (4,))(given)
    assert np.allclose(result, [[20.0, 21.0, 22.0, 23.0, 20.0]])
