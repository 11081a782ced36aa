"""M4 Hourly and Weekly: one forecast of each series beside Naive 2. The same settings for both but for the season that
the frequency implies."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.files import kept_back
from benchmarks.accuracy.registry import Score
from forecasts import accuracy
from forecasts.refresh import forecast_panel
from forecasts.series import Panel
from forecasts.spec import Spec

Matrix = NDArray[np.float64]
HOUR, WEEK = 3_600_000, 604_800_000
# step, horizon, season of MASE, published OWA of the winner
FREQUENCIES = {"hourly": (HOUR, 48, 24, 0.440), "weekly": (WEEK, 13, 1, 0.851)}


def read(path: Path) -> tuple[list[str], list[Matrix]]:
    """Ids and values of an M4 file."""
    lines = [line.split(",") for line in path.read_text().splitlines() if line.strip()]
    return [line[0] for line in lines], [np.array([float(x) for x in line[1:] if x]) for line in lines]


def load(folder: Path, name: str) -> tuple[Panel, Matrix]:
    """Training panel and test values [series, horizon]."""
    step = FREQUENCIES[name][0]
    (ids, train), (test_ids, test) = (
        read((kept_back(file) or [folder / file])[0])
        for file in (f"{name.capitalize()}-train.csv", f"{name.capitalize()}-test.csv")
    )
    assert ids == test_ids
    width = max(map(len, train))
    values = np.full((len(train), width), np.nan)
    for row, line in zip(values, train, strict=True):
        row[width - len(line) :] = line
    lengths = tuple(map(len, train))
    return Panel(tuple((i,) for i in ids), values, (width * step,) * len(ids), lengths, step), np.stack(test)


def measure(name: str, folder: Path) -> list[Score]:
    """OWA, its parts, and the intervals' coverage."""
    step, horizon, season, published = FREQUENCIES[name]
    panel, actual = load(folder / "m4", name)
    spec = Spec(
        "m4", "M4", ("ID",), "Y", "M4_FORECAST", frequency=f"{step // 60_000} minutes", horizon=horizon
    )
    results = forecast_panel(panel, spec)
    forecast = np.array([r.mean for r in results])
    assert np.isfinite(forecast).all()
    settings = {"models": spec.models, "folds": spec.folds, "seasons": spec.seasons_for(step)}
    scores = [
        ("OWA", accuracy.owa(panel.values, actual, forecast, season), published),
        ("sMAPE", float(accuracy.smape(actual, forecast).mean()), None),
        ("MASE", float(accuracy.mase(panel.values, actual, forecast, season).mean()), None),
    ]
    for level in spec.levels:
        low, high = (np.array([r.bounds[level][side] for r in results]) for side in (0, 1))
        scores.append((f"coverage {level} %", accuracy.coverage(actual, low, high), float(level)))
    return [Score(f"m4-{name}", metric, value, beside, settings) for metric, value, beside in scores]


SETS = {f"m4-{name}": partial(measure, name) for name in FREQUENCIES}
