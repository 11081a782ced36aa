"""ETTh1 and ERCOT: the last days, each forecast 24 hours ahead from what was known at its midnight; fitted once a week
and only shown the days between, and intervals led by what came, as scheduled refreshes do."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.files import kept_back
from benchmarks.accuracy.registry import Score
from forecasts import accuracy
from forecasts.fitting import fit_panel
from forecasts.intervals import track
from forecasts.series import Panel, build_panel
from forecasts.spec import Spec

HOUR = 3_600_000
DAYS = 60  # at most; a third of the data where that is less
REFIT = 7  # days
PUBLISHED_GAIN = 15.0  # percent better than seasonal naive


def read(path: Path) -> Iterator[tuple[tuple[Any, ...], int, float]]:
    """(series, time, value) of a long (id, timestamp, value) or a wide (date, columns) file."""
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            time = row.pop("timestamp", None) or row.pop("date")
            moment = dt.datetime.fromisoformat(time).replace(tzinfo=dt.UTC)
            millis = int(moment.timestamp() * 1000)
            if "unique_id" in row:
                yield (row["unique_id"],), millis, float(row["value"])
            else:
                for column, value in row.items():
                    yield (column,), millis, float(value)


def measure(name: str, file: str, folder: Path) -> list[Score]:
    """MASE, the gain over seasonal naive, and the intervals' coverage over all days and series."""
    panel = build_panel(read((kept_back(file) or [folder / "load" / file])[0]), step=HOUR, gaps="interpolate")
    spec = Spec(name, "LOAD", ("ID",), "Y", "LOAD_FORECAST", frequency="hour", horizon=24)
    days = min(DAYS, max(panel.lengths) // 72)
    parts = []
    stretch: dict[int, float] = {}
    for day in range(days, 0, -1):
        known: Panel = panel.cut(24 * day)
        if (days - day) % REFIT == 0:
            fitted = fit_panel(known, spec)
        actual = panel.cut(24 * (day - 1)).values[:, -24:]
        mean = fitted.forecast(known)
        bands = fitted.bands.stretched(stretch)
        parts.append((actual, mean, known.values[:, -24:], bands.around(mean)))
        stretch = track(stretch, bands.covered(mean[None], actual[None]))
    actual, mean, naive = (np.concatenate([p[i] for p in parts], axis=1) for i in range(3))
    size = np.abs(panel.values[:, 24:] - panel.values[:, :-24]).mean(1)
    error, naive_error = (float((np.abs(actual - f).mean(1) / size).mean()) for f in (mean, naive))
    settings = {"models": spec.models, "days": days, "folds": spec.folds, "naive MASE": round(naive_error, 4)}
    scores = [
        Score(name, "MASE, rolling 24 h", error, None, settings),
        Score(name, "gain over seasonal naive, %", 100 * (1 - error / naive_error), PUBLISHED_GAIN, settings),
    ]
    for level in spec.levels:
        low, high = (np.concatenate([p[3][level][side] for p in parts], axis=1) for side in (0, 1))
        scores.append(
            Score(name, f"coverage {level} %", accuracy.coverage(actual, low, high), float(level), settings)
        )
    return scores


SETS = {
    "etth1": partial(measure, "etth1", "ETTh1.csv"),
    "ercot": partial(measure, "ercot", "ercot.csv"),
}
