"""Train models into the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from ksqlkit.errors import DataError
from ksqlkit.imports import import_xgboost
from udf_server.drift.bins import Reference
from udf_server.evaluation import auc, average_precision, brier, precision_at
from udf_server.features import FRAUD_FEATURES
from udf_server.frame import FLAG, NUMBER, WHOLE, Column
from udf_server.models.loaded import Calibration
from udf_server.models.store import Metadata, ModelStore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FIT_SHARE: Final = 0.7
CALIBRATION_SHARE: Final = 0.15  # the rest is held out for the metrics
_LARGEST: Final = 3e38
_PARAMETERS: Final[dict[str, Any]] = {
    "objective": "binary:logistic",
    "eval_metric": "aucpr",
    "tree_method": "hist",
    "max_depth": 4,
    "eta": 0.12,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "min_child_weight": 5.0,
    "max_bin": 128,
}


def train_fraud(
    columns: Mapping[str, Sequence[float | None]],
    labels: Sequence[int],
    store: ModelStore,
    *,
    name: str = "fraud",
    features: Sequence[str] = FRAUD_FEATURES,
    trees: int = 120,
    threads: int = 1,
    seed: int = 7,
    promote: bool = True,
    description: str = "",
) -> Metadata:
    """Train a calibrated XGBoost classifier on rows in time order, publish and return it.

    The first 70 % are fitted, the next 15 % stop the boosting and calibrate (Platt), the last 15 % give the
    `metrics` (auc, average_precision, precision_at_100, brier): nothing is measured on what it was fitted to.
    Raises DataError for missing columns, too few rows or a part without both classes.
    """
    missing = [f for f in features if f not in columns]
    if missing:
        raise DataError(
            f"the training data has no column {', '.join(missing)}",
            hint=f"it has {', '.join(columns) or 'none'}",
        )
    import numpy as np

    xgboost = import_xgboost()
    given = [Column.of(columns[f]) for f in features]
    matrix = np.empty((len(given[0]), len(features)), order="F")
    for at, column in enumerate(given):
        matrix[:, at] = check_range(features[at], column.numbers())
    target = np.asarray(labels, dtype=np.float64)
    if matrix.shape[0] != target.size:
        raise DataError(f"{matrix.shape[0]} rows of features but {target.size} labels")
    fit_end = int(target.size * FIT_SHARE)
    calibrate_end = int(target.size * (FIT_SHARE + CALIBRATION_SHARE))
    parts = {
        "fit": slice(fit_end),
        "calibrate": slice(fit_end, calibrate_end),
        "test": slice(calibrate_end, None),
    }
    for part, rows in parts.items():
        if target[rows].min(initial=1.0) == target[rows].max(initial=0.0):
            raise DataError(
                f"the {part} part of the training data ({target[rows].size} rows) has only one class",
                hint="give more rows, or rows over a longer time",
            )
    fit, calibrate, test = parts.values()
    watched = xgboost.DMatrix(matrix[calibrate], target[calibrate], feature_names=list(features))
    booster = xgboost.train(
        {**_PARAMETERS, "seed": seed, "nthread": threads},
        # Binned as it is read: the same trees, without a copy of the rows.
        xgboost.QuantileDMatrix(
            matrix[fit],
            target[fit],
            feature_names=list(features),
            max_bin=_PARAMETERS["max_bin"],
            nthread=threads,
        ),
        num_boost_round=trees,
        evals=[(watched, "calibrate")],
        early_stopping_rounds=40,
        verbose_eval=False,
    )
    booster = booster[: booster.best_iteration + 1]
    calibration = platt(booster.predict(watched), target[calibrate])
    held_out = xgboost.DMatrix(matrix[test], feature_names=list(features))
    scores = Calibration(calibration)(booster.predict(held_out).astype(np.float64))
    booster.feature_names = None  # rows come as plain matrices
    return store.publish(
        name,
        bytes(booster.save_raw("ubj")),
        kind="xgboost",
        file="model.ubj",
        features=features,
        metrics={
            "auc": auc(target[test], scores),
            "average_precision": average_precision(target[test], scores),
            "precision_at_100": precision_at(target[test], scores),
            "brier": brier(target[test], scores),
        },
        training_data={
            "description": description,
            "rows": int(target.size),
            "positives": int(target.sum()),
            "trees": booster.num_boosted_rounds(),
            "seed": seed,
        },
        calibration=calibration,
        reference=Reference.fit(features, matrix[test], scores, target[test]).to_bytes(),
        promote=promote,
    )


def check_range(name: str, values: Floats) -> Floats:
    """The values; raises DataError for one that is past the floats of four bytes that models compute in."""
    import numpy as np

    if len(values) and max(np.nanmax(values, initial=0.0), -np.nanmin(values, initial=0.0)) > _LARGEST:
        row = int(np.argmax(np.nan_to_num(np.abs(values), nan=0.0)))
        raise DataError(
            f"the column {name} has {values[row]:g} in row {row + 1}; models take numbers up to 3e38",
            hint="Divide it, or take its logarithm, in SQL; or leave the column out by --drop.",
        )
    return values


def labels_of_two(labels: Sequence[Any]) -> list[int]:
    """Labels of two classes as 0 and 1, from numbers or booleans; raises DataError naming the first that is neither."""
    import numpy as np

    from udf_server.tabular import check_labels  # it builds on this module

    column = Column.of(labels)
    check_labels(column)
    of_two = column.kind in (FLAG, WHOLE, NUMBER) and np.isin(column.values, (0.0, 1.0)).all()
    if not of_two:
        row, label = next((r, v) for r, v in enumerate(column, 1) if v not in (0, 1))
        raise DataError(
            f"labels of two classes are 0 and 1; row {row} has {str(label)[:40]!r}",
            hint="Make it 0 or 1, or say --task classes where there are more kinds.",
        )
    return [int(label) for label in column]


def platt(probabilities: NDArray[np.float64], labels: NDArray[np.float64], steps: int = 50) -> dict[str, Any]:
    """Slope and intercept in log-odds that fit the probabilities to the labels (Platt 1999, with his smoothed
    targets), by Newton's method."""
    import numpy as np

    p = np.clip(np.asarray(probabilities, dtype=np.float64), 1e-7, 1 - 1e-7)
    x = np.column_stack((np.log(p / (1 - p)), np.ones(p.size)))
    positives = labels.sum()
    target = np.where(labels > 0, (positives + 1) / (positives + 2), 1 / (labels.size - positives + 2))
    weights = np.array([1.0, 0.0])
    for _ in range(steps):
        q = 1.0 / (1.0 + np.exp(-np.clip(x @ weights, -35, 35)))
        gradient = x.T @ (q - target)
        hessian = (x * (q * (1 - q))[:, None]).T @ x + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        weights -= step
        if np.abs(step).max() < 1e-10:
            break
    # A slope at or below zero would turn the ranking round: no calibration is better.
    if weights[0] <= 0:
        return {}
    return {"kind": "platt", "slope": float(weights[0]), "intercept": float(weights[1])}
