"""Drift: how often an unchanged stream raises an alarm, and how many rows a shift goes unnoticed.

Needs no files: the reference is 20,000 made rows, the stable streams are drawn from the same, the shifted ones too but
for one feature that is moved from the first row on. A stable stream is 100 windows long.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.accuracy.registry import Score
from udf_server.drift.bins import Reference
from udf_server.drift.monitor import DriftMonitor, DriftSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEATURES = 10
REFERENCE = 20_000
STABLE_WINDOWS = 100
STREAMS = 20
LONGEST = 40  # windows a shifted stream has to be noticed in
RATES = (0.001, 0.01, 0.05)
SHIFTS = (0.1, 0.25, 0.5, 1.0)  # of one feature, in standard deviations


def rows_of(chance: np.random.Generator, count: int, shift: float = 0.0) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows of several shapes (normal, skewed, discrete, with missing values) and a score that depends on them; `shift`
    moves the first feature by so many of its standard deviations."""
    matrix = chance.normal(size=(count, FEATURES))
    matrix[:, 0] += shift
    matrix[:, 3] = chance.lognormal(size=count)
    matrix[:, 4] = chance.poisson(2.0, size=count)
    matrix[:, 5] = chance.integers(0, 2, size=count)
    matrix[chance.random(count) < 0.1, 6] = np.nan
    margin = matrix[:, 0] + 0.5 * matrix[:, 1] - np.log1p(matrix[:, 3])
    return matrix, 1.0 / (1.0 + np.exp(-margin))


def run(_: Path) -> list[Score]:
    """False alarms per window on stable streams and the median delay on shifted ones, at each stated rate."""
    chance = np.random.default_rng(11)
    names = [f"F{i}" for i in range(FEATURES)]
    scores = []
    for rate in RATES:
        settings = DriftSettings(false_alarms=rate)
        shown = {
            "window": settings.window, "persist": settings.persist, "stated": rate,
            "features": FEATURES, "reference": REFERENCE, "streams": STREAMS,
        }  # fmt: skip
        raised = windows = 0
        delays: dict[float, list[float]] = {shift: [] for shift in SHIFTS}
        for _stream in range(STREAMS):
            reference = Reference.fit(names, *rows_of(chance, REFERENCE))
            monitor = DriftMonitor(reference, settings)
            before: set[str] = set()
            for _window in range(STABLE_WINDOWS):
                [findings] = monitor.add(*rows_of(chance, settings.window))
                now = {f.name for f in findings if f.alarm}
                raised += bool(now - before)
                before = now
                windows += 1
            for shift in SHIFTS:
                monitor = DriftMonitor(reference, settings)
                delay = float("inf")
                for window in range(1, LONGEST + 1):
                    [findings] = monitor.add(*rows_of(chance, settings.window, shift))
                    if any(f.alarm for f in findings):
                        delay = window * settings.window
                        break
                delays[shift].append(delay)
        scores.append(Score("drift", f"false alarms a window at {rate:g}", raised / windows, rate, shown))
        for shift, seen in delays.items():
            noticed = [d for d in seen if d < float("inf")]
            scores.append(
                Score("drift", f"noticed of {shift:g} sd at {rate:g}", len(noticed) / STREAMS, None, shown)
            )
            if noticed:
                median = float(np.median(noticed))
                scores.append(Score("drift", f"rows to notice {shift:g} sd at {rate:g}", median, None, shown))
    return scores


SETS = {"drift": run}
