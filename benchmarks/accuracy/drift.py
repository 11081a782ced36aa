"""Drift: how often an unchanged stream raises an alarm, and how many rows a shift goes unnoticed.

Needs no files: the reference is 20,000 made rows, the stable streams are drawn from the same, the shifted ones too but
for one feature that is moved from the first row on. A stable stream is 100 windows long.

The same of a model's errors as labels arrive: late, by exponential delays, so that labels of rows from before the shift
come among those from after it. Rows are counted as they are scored.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.accuracy.registry import Score
from udf_server.drift.bins import Reference
from udf_server.drift.losses import WINDOW, LossMonitor
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
LABELLED = 2000  # losses of the reference, the most that are kept
WRONG = (0.05, 0.1, 0.2)  # of the labels
DELAYS = (0.0, 2000.0, 10_000.0)  # rows, on average, until a row's label comes


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


def labelled(
    chance: np.random.Generator, count: int, wrong: float = 0.0
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Scores and labels that fit them; `wrong` is the share of labels that have come to be the other one."""
    scores = 1.0 / (1.0 + np.exp(-2.0 * chance.normal(size=count)))
    labels = (chance.random(count) < scores) ^ (chance.random(count) < wrong)
    return scores, labels.astype(np.float64)


def rows_to_notice(chance: np.random.Generator, monitor: LossMonitor, wrong: float, delay: float) -> float:
    """Rows scored from the shift on until the alarm, infinite for none in 40 windows' time and the delay's."""
    before, after = int(5 * delay), int(5 * delay) + LONGEST * WINDOW
    parts = [labelled(chance, before), labelled(chance, after, wrong)]
    scores, labels = (np.concatenate([part[at] for part in parts]) for at in (0, 1))
    arrives = np.arange(before + after) - before + chance.exponential(delay, before + after)
    order = np.argsort(arrives)
    order = order[arrives[order] >= 0.0]  # what comes before the shift cannot notice it
    for at in range(0, len(order), WINDOW):
        part = order[at : at + WINDOW]
        monitor.add(scores[part], labels[part])
        if monitor.alarm:
            return float(arrives[part[-1]])
    return float("inf")


def run_losses(_: Path) -> list[Score]:
    """False alarms per window of labelled rows, and the median delay of errors that grow, by how late labels come."""
    chance = np.random.default_rng(12)
    shown = {"window": WINDOW, "persist": 2, "stated": 0.01, "reference": LABELLED, "streams": STREAMS}
    raised = windows = 0
    references = [np.subtract(*labelled(chance, LABELLED)) ** 2 for _ in range(STREAMS)]
    for losses in references:
        monitor, before = LossMonitor(losses), False
        for _window in range(STABLE_WINDOWS):
            monitor.add(*labelled(chance, WINDOW))
            raised += monitor.alarm and not before
            before = monitor.alarm
            windows += 1
    scores = [Score("losses", "false alarms a window at 0.01", raised / windows, 0.01, shown)]
    for wrong in WRONG:
        for delay in DELAYS:
            seen = [rows_to_notice(chance, LossMonitor(losses), wrong, delay) for losses in references]
            noticed = [d for d in seen if d < float("inf")]
            what = f"{wrong:.0%} of labels turned, {delay:g} rows late"
            scores.append(Score("losses", f"noticed: {what}", len(noticed) / STREAMS, None, shown))
            if noticed:
                median = float(np.median(noticed))
                scores.append(Score("losses", f"rows to notice: {what}", median, None, shown))
    return scores


SETS = {"drift": run, "losses": run_losses}
