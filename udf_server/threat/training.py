"""Trains what THREAT_SCORE asks: attacks told from ordinary traffic, those of kinds never seen included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from ksqlkit.errors import DataError
from ksqlkit.imports import import_xgboost
from udf_server.drift.bins import Reference
from udf_server.evaluation import auc
from udf_server.models.loaded import Calibration
from udf_server.models.store import Metadata, ModelStore
from udf_server.tabular import make_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Labels = NDArray[np.int64]

# Deep trees that each see few features: an attack never seen before differs in some of them at least.
_UNSEEN: Final[dict[str, Any]] = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 12,
    "eta": 0.2,
    "subsample": 0.6,
    "colsample_bynode": 0.2,
}
_UNSEEN_ROUNDS: Final = 60
_KINDS: Final[dict[str, Any]] = {
    "objective": "multi:softprob",
    "tree_method": "hist",
    "max_depth": 6,
    "eta": 0.3,
}
_KINDS_ROUNDS: Final = 30


def train_threat(
    columns: Mapping[str, Sequence[Any]],
    kinds: Sequence[str],
    store: ModelStore,
    *,
    name: str = "threat",
    ordinary: str = "normal",
    threads: int = 1,
    seed: int = 7,
    description: str = "",
    promote: bool = True,
) -> Metadata:
    """Train what THREAT_SCORE asks: `name` for the probability of an attack, `name_kind` for which it is.

    Attacks of tomorrow are of kinds that today's rows do not have. So each larger kind is left out in turn, and the
    score that finds most of what was left out, at the least false alarms on held-out ordinary rows, becomes a half;
    `metrics` are of that: `unseen_recall` and `unseen_auc` averaged over kinds, and `false_alarms`.
    """
    import numpy as np

    xgboost = import_xgboost()
    names = np.array(kinds, dtype=str)
    attack = (names != ordinary).astype(np.int64)
    if attack.min(initial=1) == attack.max(initial=0):
        raise DataError(f"the rows must have some of kind {ordinary!r} and some of other kinds")
    table = make_table(columns, attack.tolist(), "binary")
    matrix = table.matrix
    settings = {**_UNSEEN, "seed": seed, "nthread": threads}
    threshold, metrics = _unseen_threshold(matrix, names, attack, settings)
    booster = xgboost.train(settings, xgboost.DMatrix(matrix, attack), num_boost_round=_UNSEEN_ROUNDS)
    described = {
        "description": description,
        "rows": len(attack),
        "positives": int(attack.sum()),
        "seed": seed,
    }
    # A line of slope one in log-odds that takes the threshold to a half.
    line = {"kind": "platt", "slope": 1.0, "intercept": -float(np.log(threshold / (1 - threshold)))}
    published = store.publish(
        name,
        bytes(booster.save_raw("ubj")),
        kind="xgboost",
        file="model.ubj",
        features=table.features,
        metrics=metrics,
        training_data={**described, "threshold": threshold},
        calibration=line,
        settings={"task": "binary"},
        categories=table.categories,
        reference=_reference(table.features, matrix, attack, settings, line),
        promote=promote,
    )
    attacks = sorted(set(names[attack == 1].tolist()))
    if len(attacks) > 1:
        target = np.array([attacks.index(n) for n in names[attack == 1]])
        kind_settings = {
            **_KINDS,
            "num_class": len(attacks),
            "seed": seed,
        }
        rows = matrix[attack == 1]
        data = xgboost.DMatrix(rows, target)
        kind_booster = xgboost.train(kind_settings, data, num_boost_round=_KINDS_ROUNDS)
        store.publish(
            f"{name}_kind",
            bytes(kind_booster.save_raw("ubj")),
            kind="xgboost",
            file="model.ubj",
            features=table.features,
            training_data={**described, "rows": len(rows)},
            settings={"task": "classes"},
            categories=table.categories,
            classes=attacks,
            promote=promote,
        )
    return published


def _reference(
    features: Sequence[str],
    matrix: Floats,
    attack: Labels,
    settings: Mapping[str, Any],
    line: Mapping[str, Any],
) -> bytes | None:
    """How features and scores of rows that were not learned are distributed: of the last 15 %, scored by a model of
    those before."""
    import numpy as np

    xgboost = import_xgboost()
    cut = int(len(attack) * 0.85)
    if len(np.unique(attack[:cut])) < 2 or cut == len(attack):
        return None
    past = xgboost.train(dict(settings), xgboost.DMatrix(matrix[:cut], attack[:cut]), _UNSEEN_ROUNDS)
    raw = past.predict(xgboost.DMatrix(matrix[cut:])).astype(np.float64)
    scores, truth = Calibration(line)(raw), attack[cut:].astype(np.float64)
    return Reference.fit(features, matrix[cut:], scores, truth).to_bytes()


def _unseen_threshold(
    matrix: Floats, names: NDArray[Any], attack: Labels, settings: Mapping[str, Any]
) -> tuple[float, dict[str, float]]:
    """The raw score above which a row is an attack, and how well that does on kinds left out."""
    import numpy as np

    xgboost = import_xgboost()
    rng = np.random.default_rng(settings["seed"])
    held = (attack == 0) & (rng.random(len(attack)) < 1 / 3)
    kinds, counts = np.unique(names[attack == 1], return_counts=True)
    order = np.argsort(-counts)
    usable = [str(kinds[at]) for at in order[:12] if counts[at] >= 10] or [str(kinds[order[0]])]
    false_rates = np.array([0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1])
    recalls, thresholds, quality = [], [], []
    for kind in usable:
        left = names == kind
        known = ~held & ~left
        if attack[known].sum() == 0:  # only one kind of attack: hold out half of it
            known |= left & (rng.random(len(attack)) < 0.5)
            left &= ~known
        data = xgboost.DMatrix(matrix[known], attack[known])
        booster = xgboost.train(dict(settings), data, num_boost_round=_UNSEEN_ROUNDS)
        calm = booster.predict(xgboost.DMatrix(matrix[held]))
        found = booster.predict(xgboost.DMatrix(matrix[left]))
        at = np.quantile(calm, 1 - false_rates)
        thresholds.append(at)
        recalls.append([float((found > t).mean()) for t in at])
        quality.append(auc(np.repeat([0, 1], [calm.size, found.size]), np.concatenate((calm, found))))
    recall = np.mean(recalls, axis=0)
    best = int(np.argmax(recall + 1 - false_rates))
    threshold = float(np.clip(np.median(thresholds, axis=0)[best], 1e-6, 1 - 1e-6))
    return threshold, {
        "unseen_recall": float(recall[best]),
        "false_alarms": float(false_rates[best]),
        "unseen_auc": float(np.mean(quality)),
    }
