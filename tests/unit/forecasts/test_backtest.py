"""Backtest and intervals: honest, never worse than the floor, and they cover what they say."""

import numpy as np

from forecasts.backtest import choose, combine, run_backtest
from forecasts.intervals import half_widths
from forecasts.refresh import OK, TOO_SHORT, forecast_panel
from forecasts.series import Panel, build_panel
from forecasts.spec import Spec

HOUR = 3_600_000


def make(series: int, length: int, seed: int = 1) -> Panel:
    rng = np.random.default_rng(seed)
    time = np.arange(length)
    values = 20 + 8 * np.sin(2 * np.pi * time / 12) + rng.normal(size=(series, length))
    ids = tuple((f"s{i}",) for i in range(series))
    return Panel(ids, values, (length * HOUR,) * series, (length,) * series, HOUR)


def test_no_fold_sees_its_own_future() -> None:
    panel = make(2, 150)
    changed = Panel(panel.ids, panel.values.copy(), panel.ends, panel.lengths, panel.step)
    changed.values[:, -12:] += 1000
    options = {"horizon": 12, "seasons": (12,), "models": ("theta", "holt_winters", "xgboost"), "folds": 3}
    before, after = run_backtest(panel, **options), run_backtest(changed, **options)
    assert np.array_equal(before.forecasts, after.forecasts)
    assert not np.array_equal(before.actuals, after.actuals)


def test_the_choice_is_never_worse_than_seasonal_naive_on_the_folds() -> None:
    panel = make(5, 150, seed=4)
    test = run_backtest(panel, horizon=12, seasons=(12,), models=("theta", "autoregression"), folds=4)
    assert (test.combined_errors <= test.error_of("seasonal_naive")).all()
    found = np.abs(test.combined() - test.actuals).mean(axis=(0, 2))
    assert np.allclose(found, test.combined_errors)
    assert np.allclose(test.weights.sum(0), 1.0)


def test_a_combination_beats_its_parts_where_their_errors_cancel() -> None:
    actuals = np.zeros((1, 1, 4))
    forecasts = np.array([[1.0, 1, 1, 1], [-1, -1, -1, -1], [3, 3, 3, 3]])[:, None, None, :]
    weights, error = choose(forecasts, actuals, np.array([[1.0], [1.0], [3.0]]))
    assert error[0] < 0.5
    assert weights[2, 0] < weights[0, 0]


def test_cut_moves_the_end() -> None:
    panel = make(1, 50)
    part = panel.cut(5)
    assert part.values.shape == (1, 45)
    assert part.ends == (45 * HOUR,)


def test_intervals_nest_and_cover() -> None:
    rng = np.random.default_rng(0)
    residuals = rng.normal(size=(40, 20, 12)) * np.arange(1, 21)[None, :, None]
    widths = half_widths(residuals, (80, 95))
    assert (widths[95] >= widths[80]).all()
    fresh = np.abs(rng.normal(size=(400, 20, 12)) * np.arange(1, 21)[None, :, None])
    for level, width in widths.items():
        assert abs((fresh <= width[None]).mean() - level / 100) < 0.03


def test_a_short_series_gets_a_status_and_the_others_go_on() -> None:
    rows = [(("long",), i * HOUR, float(i % 12)) for i in range(150)]
    rows += [(("short",), i * HOUR, 1.0) for i in range(3)]
    panel = build_panel(rows, step=HOUR, gaps="zero")
    spec = Spec("f", "S", ("K",), "V", "T", seasons=(12,), horizon=6, models=("theta",))
    found = {r.series[0]: r for r in forecast_panel(panel, spec)}
    assert found["short"].status == TOO_SHORT
    assert "3 steps" in found["short"].reason
    assert found["long"].status == OK
    assert len(found["long"].mean) == 6
    for level in (80, 95):
        low, high = found["long"].bounds[level]
        assert all(a <= m <= b for a, m, b in zip(low, found["long"].mean, high, strict=True))
    assert min(found["long"].bounds[95][0]) >= 0, "a count is never negative"


def test_what_is_combined_is_a_weighted_median() -> None:
    rng = np.random.default_rng(3)
    forecasts = rng.normal(size=(5, 2, 3, 4))
    even = combine(np.full((5, 3), 0.2), forecasts)
    assert np.allclose(even, np.median(forecasts, axis=0))
    alone = np.zeros((5, 3))
    alone[2] = 1.0
    assert np.array_equal(combine(alone, forecasts), forecasts[2])
    two = combine(np.array([[0.5] * 3, [0.0] * 3, [0.5] * 3, [0.0] * 3, [0.0] * 3]), forecasts)
    assert np.allclose(two, (forecasts[0] + forecasts[2]) / 2), "what weighs nothing is nowhere"
    wrong = forecasts.copy()
    wrong[forecasts.argmax(0), *np.indices((2, 3, 4))] += 1e9
    assert np.allclose(combine(np.full((5, 3), 0.2), wrong), even), "one that goes wrong pulls nobody"
    weights = rng.dirichlet(np.ones(5), size=3).T
    found = combine(weights, forecasts)
    assert ((forecasts.min(0) <= found) & (found <= forecasts.max(0))).all()


def test_a_few_odd_folds_do_not_decide_against_the_floor() -> None:
    """The floor is right but in one fold of six, where it is so wrong that its mean is the worse one."""
    actuals = np.zeros((6, 1, 4))
    floor, other = np.zeros((6, 1, 4)), np.full((6, 1, 4), 1.0)
    floor[0] = 30.0
    forecasts = np.stack([floor, other])
    errors = np.abs(forecasts).mean(axis=(1, 3))
    assert errors[0, 0] > errors[1, 0]
    weights, _ = choose(forecasts, actuals, errors)
    assert weights[:, 0].tolist() == [1.0, 0.0]
