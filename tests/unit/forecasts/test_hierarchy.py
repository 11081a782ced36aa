"""Totals and parts add up, and trust decides who moves."""

import numpy as np

from forecasts.hierarchy import add_totals, reconcile
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
