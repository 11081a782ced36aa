"""Bands led by their record: covered on average whatever comes, nested, and remembered between refreshes."""

from __future__ import annotations

import numpy as np
import pytest

from forecasts.intervals import FARTHEST, GAIN, Bands, make_bands, track

SERIES, HORIZON, LEVELS = 6, 12, (80, 95)


def bands(spread: float, seed: int = 0) -> Bands:
    rng = np.random.default_rng(seed)
    actuals = 100 + spread * rng.normal(size=(6, SERIES, HORIZON))
    history = 100 + spread * rng.normal(size=(SERIES, 200))
    return make_bands(history, np.full_like(actuals, 100.0), actuals, LEVELS)


@pytest.mark.parametrize("noise", [0.4, 1.0, 2.5])
def test_the_share_inside_is_right_though_noise_is_not_as_in_the_folds(noise: float) -> None:
    made, rng = bands(1.0), np.random.default_rng(1)
    stretch: dict[int, float] = {}
    inside: dict[int, list[float]] = {level: [] for level in LEVELS}
    for _ in range(60):
        actual = 100 + noise * rng.normal(size=(1, SERIES, HORIZON))
        covered = made.stretched(stretch).covered(np.full_like(actual, 100.0), actual)
        stretch = track(stretch, covered)
        for level in LEVELS:
            inside[level].append(covered[level])
    for level, shares in inside.items():
        off = abs(np.mean(shares) / 100 - level / 100)
        gain = GAIN / (level / 100 * (1 - level / 100))
        assert off <= abs(stretch[level]) / (60 * gain) + 1e-9, "the published bound"
        assert off < 0.03
    assert np.sign(stretch[80]) == np.sign(np.log(noise)) or noise == 1.0


def test_levels_stay_nested_however_far_each_is_stretched() -> None:
    low, high = bands(1.0).stretched({80: 1.5, 95: -1.5}).around(np.full((SERIES, HORIZON), 100.0))[95]
    inner = bands(1.0).stretched({80: 1.5}).around(np.full((SERIES, HORIZON), 100.0))[80]
    assert (low <= inner[0]).all()
    assert (inner[1] <= high).all()


def test_a_part_of_a_horizon_moves_a_part_and_nothing_moves_for_ever() -> None:
    whole, half = track({}, {80: 40.0}), track({}, {80: 40.0}, 0.5)
    assert half[80] == pytest.approx(whole[80] / 2)
    assert track({80: 1.0}, {80: 80.0}) == {80: 1.0}
    stretch: dict[int, float] = {}
    for _ in range(100):
        stretch = track(stretch, {80: 100.0})
    assert stretch == {80: -FARTHEST}
