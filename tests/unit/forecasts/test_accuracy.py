"""Measures against numbers worked out by hand."""

import numpy as np

from forecasts.accuracy import coverage, mase, naive2, owa, smape


def test_smape_and_mase_by_hand() -> None:
    history, actual, forecast = np.array([[1.0, 2, 4, 7]]), np.array([[10.0, 20]]), np.array([[12.0, 20]])
    assert np.isclose(smape(actual, forecast)[0], 200 * 2 / 22 / 2)
    assert np.isclose(mase(history, actual, forecast, 1)[0], 1.0 / 2.0)
    assert smape(np.zeros((1, 2)), np.zeros((1, 2)))[0] == 0


def test_naive2_follows_a_season_only_where_there_is_one() -> None:
    season = np.tile([1.0, 2, 3, 2], 12)[None]
    assert np.allclose(naive2(season, 4, 4), [[1, 2, 3, 2]])
    noise = np.random.default_rng(0).normal(10, 1, (1, 48))
    assert np.allclose(naive2(noise, 3, 4), noise[:, -1:])


def test_naive2_itself_has_an_owa_of_1() -> None:
    rng = np.random.default_rng(1)
    history, actual = rng.uniform(5, 9, (3, 60)), rng.uniform(5, 9, (3, 6))
    assert np.isclose(owa(history, actual, naive2(history, 6, 1), 1), 1.0)


def test_coverage_in_percent() -> None:
    assert coverage(np.array([[1.0, 5.0]]), np.zeros((1, 2)), np.full((1, 2), 2.0)) == 50.0
