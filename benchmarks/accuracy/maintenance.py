"""Maintenance: the remaining life of NASA's turbofans (C-MAPSS FD001) and the failures of AI4I 2020."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.files import kept_back
from benchmarks.accuracy.registry import Score
from udf_server.maintenance.life import CAP, fit_life, remaining
from udf_server.maintenance.rolling import features_of_runs
from udf_server.models.loaded import load_bytes
from udf_server.models.store import Metadata
from udf_server.tabular import Recipe, Table, best_threshold, f1_score, fit_model, make_table

Floats = NDArray[np.float64]
SENSORS = (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21)  # the others do not change in FD001
FORMULAS = ("PROCESS_TEMPERATURE-AIR_TEMPERATURE", "ROTATIONAL_SPEED*TORQUE", "TORQUE*TOOL_WEAR")
RECIPE = Recipe("blend", formulas=FORMULAS, trees=150)
FOLDS = 5
STOPS = 5  # of each held-out run


def read_runs(path: Path) -> tuple[list[int], Floats]:
    """Units, and their sensors."""
    rows = np.loadtxt(path)
    return rows[:, 0].astype(int).tolist(), rows[:, [4 + s for s in SENSORS]]


def measure_life(folder: Path) -> list[Score]:
    """RMSE at the last row of each test run; without test files, of runs held out in five folds and stopped at random
    with 7 to 145 cycles to go, as the published test set is."""
    units, sensors = read_runs(folder / "maintenance" / "cmapss-train_FD001.txt")
    left = np.array(remaining(units), dtype=np.float64)
    settings: dict[str, Any] = {
        "trees": 300,
        "cap": CAP,
        "peers": "random forest 19.2, LSTM 15.2, deep CNN 12.6",
    }
    if found := kept_back("*test_FD001*"):
        truth = np.loadtxt(kept_back("*RUL_FD001*")[0]).ravel()
        tested, given = read_runs(found[0])
        ends = [at for at, unit in enumerate(tested) if at + 1 == len(tested) or tested[at + 1] != unit]
        predicted = _predict(units, sensors, left, tested, given)[ends]
        settings |= {"split": f"{len(ends)} test runs"}
    else:
        every = np.empty(len(left))
        fold = np.array(units) % FOLDS
        for number in range(FOLDS):
            kept, held = fold != number, fold == number
            known, tested = np.array(units)[kept].tolist(), np.array(units)[held].tolist()
            every[held] = _predict(known, sensors[kept], left[kept], tested, sensors[held])
        stops = _random_stops(units, left)
        truth, predicted = left[stops], every[stops]
        settings |= {"split": f"{FOLDS} folds by run, {STOPS} random stops of each run"}
    return [
        Score("cmapss", "RMSE", _rmse(predicted, truth), 12.6, settings),
        Score(
            "cmapss", f"RMSE, truth capped at {CAP}", _rmse(predicted, np.minimum(truth, CAP)), 12.6, settings
        ),
    ]


def _predict(units: list[int], sensors: Floats, left: Floats, tested: list[int], given: Floats) -> Floats:
    """The remaining life after each row of the tested runs, by a model of the others."""
    model = load_bytes(*fit_life([f"S{s}" for s in SENSORS], units, sensors, left))
    return model.predict(features_of_runs(tested, given))


def _random_stops(units: list[int], left: Floats) -> NDArray[np.int64]:
    rng = np.random.default_rng(1)
    numbers = np.array(units)
    cycle = np.concatenate([np.arange(1, (numbers == u).sum() + 1) for u in dict.fromkeys(units)])
    usable = (cycle >= 31) & (left >= 7) & (left <= 145)
    return np.concatenate(
        [
            rng.choice(np.flatnonzero(usable & (numbers == u)), STOPS, replace=False)
            for u in dict.fromkeys(units)
        ]
    )


def _rmse(predicted: Floats, truth: Floats) -> float:
    return float(((predicted - truth) ** 2).mean() ** 0.5)


def read_failures(path: Path) -> Table:
    """AI4I's six measured columns and whether the machine failed; the kinds of failure are not looked at."""
    with path.open(newline="", encoding="utf-8-sig") as lines:
        rows = list(csv.DictReader(lines))
    grade = {"L": 0.0, "M": 1.0, "H": 2.0}
    columns: dict[str, list[float]] = {"TYPE": [grade[r["Type"]] for r in rows]}
    for name in ("Air temperature", "Process temperature", "Rotational speed", "Torque", "Tool wear"):
        columns[name.upper().replace(" ", "_")] = [float(r[name]) for r in rows]
    return make_table(columns, [int(r["Machine failure"]) for r in rows], "binary")


def measure_failures(folder: Path) -> list[Score]:
    """F1 on the test file; without one, of five folds. The threshold is chosen on folds of the training rows."""
    shown = read_failures(folder / "maintenance" / "ai4i2020-70.csv")
    files = kept_back("*ai4i*.csv")
    rows = np.arange(len(shown.target))
    if files:
        held = read_failures(files[0])
        called = _scores(shown, rows, held.matrix) >= _threshold(shown, rows)
        truth, split = held.target, f"{len(held.target)} test rows"
    else:
        called = np.zeros(len(rows), dtype=bool)
        fold = _folds(len(rows), 0)
        for number in range(FOLDS):
            kept, out = rows[fold != number], rows[fold == number]
            called[out] = _scores(shown, kept, shown.matrix[out]) >= _threshold(shown, kept)
        truth, split = shown.target, f"{FOLDS} folds"
    settings = {"algorithm": RECIPE.algorithm, "trees": RECIPE.trees, "formulas": FORMULAS, "split": split}
    return [Score("ai4i", "F1", f1_score(truth, called), 0.895, settings)]


def _folds(rows: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).permutation(rows) % FOLDS


def _scores(table: Table, rows: NDArray[np.int64], matrix: Floats) -> Floats:
    """Probabilities by a model of those rows of the table."""
    part = Table(table.features, table.matrix[rows], {}, table.target[rows], table.task, ())
    kind, file, content, settings = fit_model(part, slice(None), RECIPE)
    return load_bytes(
        Metadata("failure", 1, kind, file, "", table.features, settings=settings), content
    ).predict(matrix)


def _threshold(table: Table, rows: NDArray[np.int64]) -> float:
    """Where F1 is high over inner folds of the training rows."""
    scores = np.empty(len(rows))
    fold = _folds(len(rows), 1)
    for number in range(FOLDS):
        inner, out = rows[fold != number], fold == number
        scores[out] = _scores(table, inner, table.matrix[rows[out]])
    return best_threshold(table.target[rows], scores)


SETS = {"cmapss": measure_life, "ai4i": measure_failures}
