"""Totals and parts add up, and trust decides who moves."""

import numpy as np

from forecasts.fitting import fit_panel
from forecasts.hierarchy import add_totals, covariance, reconcile
from forecasts.refresh import OK, forecast_panel
from forecasts.series import build_panel
from forecasts.spec import Spec

HOUR = 3_600_000
SHOPS = [("north", "a"), ("north", "b"), ("south", "c")]


def rows(hours: int, late: int = 0) -> list[tuple[tuple[str, str], int, float]]:
    return [
        (shop, h * HOUR, 10.0 + i + 4 * np.sin(h * np.pi / 6))
        for i, shop in enumerate(SHOPS)
        for h in range(hours - (late if i == 0 else 0))
    ]


def test_totals_of_every_level() -> None:
    panel = add_totals(build_panel(rows(30, late=2), step=HOUR, gaps="zero"), "zero")
    found = dict(zip(panel.ids, panel.values, strict=True))
    assert set(found) == {*SHOPS, ("north", "*"), ("south", "*"), ("*", "*")}
    assert np.allclose(found["north", "*"], found["north", "a"] + found["north", "b"])
    assert np.allclose(found["*", "*"], found["north", "*"] + found["south", "*"])
    assert found["north", "a"][-2:].tolist() == [0, 0]
    assert len(set(panel.ends)) == 1


def test_the_least_trusted_gives_way() -> None:
    ids = (("a",), ("b",), ("*",))
    mean = np.array([[1.0], [2.0], [6.0]])
    by_total = reconcile(ids, mean, np.array([1.0, 1.0, 1e-9]))
    assert np.allclose(by_total, [[2.5], [3.5], [6.0]])
    by_parts = reconcile(ids, mean, np.array([1e-9, 1e-9, 1.0]))
    assert np.allclose(by_parts, [[1.0], [2.0], [3.0]])
    even = reconcile(ids, mean, np.ones(3))
    assert np.allclose(even, [[2.0], [3.0], [5.0]])


def test_published_forecasts_add_up() -> None:
    spec = Spec(
        "f", "S", ("REGION", "SHOP"), "V", "T", horizon=6, models=("theta",), seasons=(12,), totals=True
    )
    panel = add_totals(build_panel(rows(90), step=HOUR, gaps="zero"), "zero")
    found = {r.series: r for r in forecast_panel(panel, spec)}
    assert {r.status for r in found.values()} == {OK}
    parts = sum(np.array(found[shop].mean) for shop in SHOPS)
    assert np.allclose(parts, found["*", "*"].mean)
    low, high = found["*", "*"].bounds[95]
    assert all(a <= m <= b for a, m, b in zip(low, found["*", "*"].mean, high, strict=True))


def shrunk_slowly(errors: np.ndarray) -> np.ndarray:
    """The estimator of Schafer and Strimmer, entry by entry as they write it."""
    samples = [errors[f, :, h] for f in range(errors.shape[0]) for h in range(errors.shape[2])]
    n, series = len(samples), errors.shape[1]
    size = [np.sqrt(sum(x[i] ** 2 for x in samples) / n) for i in range(series)]
    above = below = 0.0
    correlation = np.eye(series)
    for i in range(series):
        for j in range(series):
            if i != j:
                w = [x[i] / size[i] * x[j] / size[j] for x in samples]
                correlation[i, j] = sum(w) / n
                above += n / (n - 1) ** 3 * sum((v - correlation[i, j]) ** 2 for v in w)
                below += correlation[i, j] ** 2
    for i in range(series):
        for j in range(series):
            correlation[i, j] *= size[i] * size[j] * (1 if i == j else 1 - above / below)
    return correlation


def test_covariances_are_shrunk_as_published() -> None:
    rng = np.random.default_rng(4)
    common = rng.normal(size=(5, 1, 6))
    errors = common + rng.normal(size=(5, 4, 6)) * np.array([1.0, 2.0, 0.5, 1e-3])[None, :, None]
    assert np.allclose(covariance(errors), shrunk_slowly(errors))


def test_reconciling_with_covariances_is_the_published_formula_and_adds_up() -> None:
    rng = np.random.default_rng(5)
    ids = (*((r, s) for r in "ab" for s in "xyz"), ("a", "*"), ("b", "*"), ("*", "*"))
    errors = rng.normal(size=(8, 9, 6)) + rng.normal(size=(8, 1, 6))
    trust = covariance(errors)
    base = np.array([10.0] * 6 + [30, 30, 60])[:, None] + rng.normal(size=(9, 6))
    summing = np.vstack([np.eye(6), [1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1], [1, 1, 1, 1, 1, 1]])
    inverse = np.linalg.inv(trust)
    wanted = summing @ np.linalg.inv(summing.T @ inverse @ summing) @ summing.T @ inverse @ base
    found = reconcile(ids, base, trust)
    assert np.allclose(found, wanted)
    assert np.allclose(found[8], found[6] + found[7])
    assert np.allclose(found[6], found[:3].sum(0))
    assert not np.allclose(found, reconcile(ids, base, np.diag(trust))), "correlations count"
    assert np.allclose(reconcile(ids, wanted, trust), wanted), "what adds up stays"


def test_covariances_of_errors_that_say_nothing_are_still_usable() -> None:
    ids = (("a",), ("b",), ("*",))
    base = np.array([[1.0], [2.0], [6.0]])
    for errors in (np.zeros((4, 3, 2)), np.ones((4, 3, 2)), np.ones((1, 3, 2)), 1e-200 * np.ones((4, 3, 2))):
        found = reconcile(ids, base, covariance(errors))
        assert np.isfinite(found).all()
        assert np.allclose(found[0] + found[1], found[2])


def test_reconciled_forecasts_are_better_than_summed_parts_where_totals_are_easier() -> None:
    """Parts share a strong season and much noise of their own that cancels in the total."""
    rng = np.random.default_rng(6)
    noise = rng.normal(size=(6, 400))
    noise -= noise.mean(0)
    line = 100 + 20 * np.sin(np.arange(400) * np.pi / 6)
    rows = [((str(i),), h * HOUR, float(line[h] + 15 * noise[i, h])) for i in range(6) for h in range(400)]
    spec = Spec(
        "f", "S", ("K",), "V", "T", horizon=12, models=("theta",), seasons=(12,), totals=True, folds=6
    )
    panel = add_totals(build_panel(rows, step=HOUR, gaps="zero"), "zero")
    apart = fit_panel(panel.cut(12), spec).forecast(panel.cut(12))[:6].sum(0)
    together = {r.series: np.array(r.mean) for r in forecast_panel(panel.cut(12), spec)}[("*",)]
    actual = panel.values[-1, -12:]
    assert np.abs(together - actual).mean() < np.abs(apart - actual).mean()
