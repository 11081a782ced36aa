"""NSL-KDD connections and HTTP payloads."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.accuracy.files import kept_back, read_csv
from benchmarks.accuracy.registry import Score
from benchmarks.accuracy.text import Labelled, scored, split, trained
from udf_server.models.live import LiveModels
from udf_server.models.store import ModelStore
from udf_server.rows import matrix_of
from udf_server.text.training import PAYLOADS
from udf_server.threat.rules import payload_rules
from udf_server.threat.training import train_threat

FEATURES = 41
NAMES = [f"F{at}" for at in range(FEATURES)]
WORDS = (1, 2, 3)  # protocol, service and flag
ALL_RIGHT = 21  # of the difficulty column: as many learners had the row right; KDDTest-21 leaves these out

Connections = list[list[str]]


def read_kdd(path: Path) -> Connections:
    """Rows of 41 features, the attack, and how many of 21 learners had it right."""
    with path.open(newline="") as file:
        return [row for row in csv.reader(file) if len(row) > FEATURES]


def columns_of(rows: Connections) -> dict[str, list[Any]]:
    """The features by name. The difficulty is none: it tells of the label."""
    return {
        name: [row[at] if at in WORDS else float(row[at]) for row in rows] for at, name in enumerate(NAMES)
    }


def connections(folder: Path) -> list[Score]:
    """Accuracy of attack or not on the test files; without them, what attacks of kinds left out tell."""
    shown = read_kdd(folder / "threat" / "kdd-train20.csv")
    tests = [(path.stem, read_kdd(path)) for path in kept_back("kdd*", "KDD*")]
    rows = shown
    if not tests:
        order = np.random.default_rng(11).permutation(len(shown))
        tests = [("a fifth of the shown rows", [shown[at] for at in order[::5]])]
        rows = [shown[at] for at in np.delete(order, np.s_[::5])]
    out = []
    with TemporaryDirectory() as place:
        store = ModelStore(Path(place))
        made = train_threat(columns_of(rows), [row[FEATURES] for row in rows], store)
        model = LiveModels(store).get("threat")
    settings = {"trained on": len(rows), "threshold": made.training_data["threshold"], "seed": 7}
    for name, test in tests:
        columns = columns_of(test)
        scores = model.predict(matrix_of(model, [columns[n] for n in NAMES]))
        truth = np.array([row[FEATURES] != "normal" for row in test])
        right = (scores >= 0.5) == truth
        note = {**settings, "test": name, "rows": len(test)}
        known = name == "a fifth of the shown rows"
        hard = np.array([len(row) > FEATURES + 1 and int(row[FEATURES + 1]) < ALL_RIGHT for row in test])
        only_hard = bool(hard.all())
        published = None if known else 65.6 if only_hard else 81.9
        out.append(Score("kdd", f"accuracy, %, {name}", 100 * float(right.mean()), published, note))
        if hard.any() and not only_hard:
            value = 100 * float(right[hard].mean())
            out.append(
                Score("kdd", f"accuracy of the hard rows, %, {name}", value, None if known else 65.6, note)
            )
    for metric, value in made.metrics.items():
        out.append(Score("kdd", metric.replace("_", " "), value, None, settings))
    return out


def payloads(folder: Path) -> list[Score]:
    """Macro F1 over kinds of attack of HTTP payloads: trained, and the shipped rules."""
    data = read_csv(folder / "threat" / "http-payload-train.csv", "payload", "attack_type")
    tests: list[tuple[str, Labelled]] = [
        (path.stem, read_csv(path, "payload", "attack_type")) for path in kept_back("http-payload*.csv")
    ]
    train = data
    if not tests:
        train, test = split(data)
        tests = [("a fifth of the shown rows", test)]
    classifier, settings = trained(train, PAYLOADS)
    out = []
    for name, test in tests:
        note = {**settings, "test": name, "rows": len(test[0])}
        metrics, said = scored(classifier, test)
        out.append(Score("payloads", "macro F1 over kinds", metrics["macro_f1"], 0.980, note))
        out.append(Score("payloads", "macro F1, attack or not", _attacks(test[1], said), None, note))
        rules = [payload_rules(text)["KIND"] or "norm" for text in test[0]]
        out.append(
            Score("payloads", "macro F1 of the rules, attack or not", _attacks(test[1], rules), None, note)
        )
    return out


def _attacks(truth: Sequence[str], said: Sequence[str]) -> float:
    from udf_server.evaluation import f1_scores

    return f1_scores([t != "norm" for t in truth], [s != "norm" for s in said])["macro_f1"]


SETS = {"kdd": connections, "payloads": payloads}
