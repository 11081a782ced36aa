"""Train models of rows: two classes, several, or a value; by boosting, a forest, a tree or a line."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ksqlkit.errors import DataError
from ksqlkit.imports import import_xgboost
from udf_server.drift.bins import Reference
from udf_server.evaluation import auc, average_precision, brier
from udf_server.frame import NUMBER, OTHER, WORD, Column
from udf_server.models.blend import blend_bytes
from udf_server.models.boosting import free_cores
from udf_server.models.derive import Derived, parse_formula
from udf_server.models.forest import forest_bytes
from udf_server.models.loaded import Calibration, load_bytes
from udf_server.models.store import Metadata, ModelStore
from udf_server.training import CALIBRATION_SHARE, FIT_SHARE, check_range, platt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ALGORITHMS: Final = ("xgboost", "linear", "tree", "forest", "blend")
TASKS: Final = ("binary", "classes", "regression")
_OBJECTIVES: Final = {
    "binary": "binary:logistic",
    "classes": "multi:softprob",
    "regression": "reg:squarederror",
}
_EXACT: Final = 1_000_000  # cells up to which split points are not binned
_STEP: Final = 0.08
_LONG_STEP: Final = 0.2  # on many rows: as good (AUC of 300,000 within 0.0002), in two fifths of the trees
_FEWEST: Final = 40
_AS_GOOD: Final = 0.005  # of F1


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train: `task` None to tell it from the labels, `formulas` such as `TORQUE*SPEED`, `parameters` over the
    algorithm's own."""

    algorithm: str = "xgboost"
    task: str | None = None
    formulas: Sequence[str] = ()
    trees: int = 200
    seed: int = 7
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as a matrix: `features` by name, NaN for missing, `categories` of those that are words; `target` is 0 and 1,
    class numbers or values by `task`, with the `classes`' names."""

    features: tuple[str, ...]
    matrix: Floats
    categories: dict[str, list[str]]
    target: Floats
    task: str
    classes: tuple[str, ...]


def make_table(columns: Mapping[str, Sequence[Any]], labels: Sequence[Any], task: str | None = None) -> Table:
    """Columns of numbers, booleans or words as a table; raises DataError for labels that teach nothing."""
    import numpy as np

    task, classes, target = _target(labels, task)
    categories: dict[str, list[str]] = {}
    # By column, as it is filled; copied to what XGBoost and scikit-learn want a part at a time.
    matrix = np.empty((len(target), len(columns)), order="F")
    for at, (name, values) in enumerate(columns.items()):
        column = check_scalars(name, values).used()
        if len(column) != len(target):
            raise DataError(f"{len(column)} rows of features but {len(target)} labels")
        if column.kind == WORD:
            categories[name] = list(column.words)
        matrix[:, at] = check_range(name, column.numbers(column.words))
    return Table(tuple(columns), matrix, categories, target, task, classes)


def _target(labels: Sequence[Any], task: str | None) -> tuple[str, tuple[str, ...], Floats]:
    """The task, the classes' names, and the labels as numbers; raises DataError for labels that teach nothing."""
    import numpy as np

    column = check_scalars("of labels", labels)
    check_labels(column)
    words = column.kind == WORD
    values = column.numbers(column.words)
    distinct, places = np.unique(values, return_inverse=True)
    names = [str(v) for v in _some(column, distinct)]
    shown = ", ".join(sorted(n[:40] for n in names[:1000])[:3])
    if len(distinct) < 2:
        raise DataError(
            f"all {len(column)} rows have the same label{f', {shown}' if shown else ''}",
            hint="A model needs rows of both kinds.",
        )
    of_two = not words and set(distinct.tolist()) <= {0.0, 1.0}
    if task is None:
        if len(distinct) == 2 and not words and not of_two:
            raise DataError(
                f"labels of two classes are 0 and 1, not {shown}",
                hint="Say --task classes to keep their names, or --task regression if they are values.",
            )
        task = "classes" if words else "binary" if of_two else "regression"
    if task == "classes":
        order = np.argsort(np.array(names), kind="stable")
        rank = np.empty(len(names))
        rank[order] = np.arange(len(names))
        return task, tuple(names[at] for at in order), rank[places]
    if task == "binary" and not of_two:
        raise DataError(
            f"labels of two classes are 0 and 1, not {shown}", hint="Say --task classes for names."
        )
    if words:
        raise DataError(
            f"values to be predicted are numbers, not {shown}", hint="Say --task classes for names."
        )
    return task, (), check_range("of labels", values)


def _some(column: Column, values: Floats) -> Iterable[Any]:
    """Values of a column out of its numbers."""
    if column.kind == WORD:
        return [column.words[int(at)] for at in values]
    return Column(NUMBER if column.kind == OTHER else column.kind, values)


def check_labels(column: Column) -> None:
    """Raise DataError for rows without a label, naming the first and how many there are."""
    missing = column.missing
    if missing.any():
        first, count = int(missing.argmax()) + 1, int(missing.sum())
        raise DataError(
            f"row {first} has no label"
            + (f", and {count - 1} more of {len(column)} rows" if count > 1 else ""),
            hint="Leave such rows out.",
        )


def check_scalars(name: str, values: Sequence[Any], *, numbers: bool = False) -> Column:
    """The values as a column; raises DataError where there is a list, a map or a date; with `numbers`, also where there
    is a word or nothing."""
    column = Column.of(values)
    fit: tuple[type, ...] = (int, float) if numbers else (int, float, str, type(None))
    if column.kind == OTHER or (numbers and (column.kind == WORD or column.missing.any())):
        # Where one is a word all were kept as texts: it is the first that does not read as a number.
        wrong = next(
            (
                (row, v)
                for row, v in enumerate(column, 1)
                if not isinstance(v, fit) and not reads_as_number(v)
            ),
            None,
        )
        if wrong is not None:
            what = "numbers" if numbers else "numbers or words"
            raise DataError(
                f"the column {name} has {str(wrong[1])[:40]!r} in row {wrong[0]}; it must have {what}"
            )
        if any(isinstance(v, str) for v in column):
            return Column.of([None if v is None else str(v) for v in column])
    return column


def reads_as_number(value: Any) -> bool:
    """Whether a text is a number."""
    try:
        return isinstance(value, str) and float(value) == float(value)
    except ValueError:
        return False


def train_tabular(
    columns: Mapping[str, Sequence[Any]],
    labels: Sequence[Any],
    store: ModelStore,
    name: str,
    recipe: Recipe | None = None,
    *,
    description: str = "",
    promote: bool = True,
) -> Metadata:
    """Train on rows in time order and publish: 70 % are fitted, the next 15 % calibrate and choose the threshold, the
    metrics are of the last 15 %. Raises DataError for data that cannot teach."""
    import numpy as np

    recipe = recipe or Recipe()
    table = make_table(columns, labels, recipe.task)
    rows = len(table.target)
    if rows < _FEWEST:
        raise DataError(f"{rows} rows are too few to learn from", hint=f"Give at least {_FEWEST}.")
    fit, held = int(rows * FIT_SHARE), int(rows * (FIT_SHARE + CALIBRATION_SHARE))
    if table.task != "regression" and len(np.unique(table.target[:fit])) < max(2, len(table.classes)):
        raise DataError("the first 70 % of the rows lack a class", hint="Shuffle the rows, or give more.")
    kind, file, content, settings = fit_model(table, slice(fit), recipe)
    given: dict[str, Any] = {
        "kind": kind,
        "file": file,
        "features": table.features,
        "categories": table.categories,
        "classes": table.classes,
    }
    draft = Metadata(name=name, version=0, sha256="", settings=settings, **given)
    model = load_bytes(draft, content)
    calibration: dict[str, Any] = {}
    if table.task == "binary":
        raw, truth = model.predict(table.matrix[fit:held]), table.target[fit:held]
        if 0 < truth.sum() < truth.size:
            calibration = platt(raw, truth)
            if not 0.1 < calibration.get("slope", 1.0) < 10.0:  # too few rows to say, or all at 0 and 1
                calibration = {}
            settings["threshold"] = best_threshold(truth, Calibration(calibration)(raw))
    predicted = Calibration(calibration)(model.predict(table.matrix[held:]))
    right = None if table.task == "classes" else table.target[held:]
    return store.publish(
        name,
        content,
        **given,
        reference=Reference.fit(table.features, table.matrix[held:], predicted, right).to_bytes(),
        settings=settings,
        calibration=calibration,
        metrics=measure(table, predicted, held, settings.get("threshold", 0.5)),
        training_data={
            "description": description,
            "rows": rows,
            "seed": recipe.seed,
            "algorithm": recipe.algorithm,
        },
        promote=promote,
    )


def fit_model(table: Table, rows: slice, recipe: Recipe) -> tuple[str, str, bytes, dict[str, Any]]:
    """Fit those rows of a table; kind, file name, content and settings for the store."""
    import numpy as np

    if recipe.algorithm not in ALGORITHMS:
        raise DataError(f"there is no algorithm {recipe.algorithm}", hint=f"Known: {', '.join(ALGORITHMS)}.")
    try:
        formulas = [parse_formula(text, table.features) for text in recipe.formulas]
    except ValueError as error:
        raise DataError(str(error)) from error
    matrix, target = table.matrix[rows], table.target[rows]
    means = [float(np.nanmean(c)) if not np.isnan(c).all() else 0.0 for c in matrix.T]
    settings: dict[str, Any] = {"task": table.task, "derived": formulas, "baseline": means}
    if recipe.algorithm == "linear":
        if table.task == "classes" or formulas:
            raise DataError(
                "a line takes two classes or a value, and no formulas", hint="Use xgboost or forest."
            )
        return "linear", "model.npz", _fit_line(matrix, target, table.task, np.array(means)), settings
    wide = Derived(table.features, formulas)(matrix)
    if recipe.algorithm == "blend":
        parts = [_fit_boosting(wide, target, table, recipe), _fit_forest(wide, target, table.task, recipe)]
        return "blend", "model.blend", blend_bytes(parts), settings
    if recipe.algorithm == "xgboost":
        return "xgboost", "model.ubj", _fit_boosting(wide, target, table, recipe), settings
    return "forest", "model.npz", _fit_forest(wide, target, table.task, recipe), settings


def _fit_boosting(matrix: Floats, target: Floats, table: Table, recipe: Recipe) -> bytes:
    xgboost = import_xgboost()
    exact = matrix.size <= _EXACT
    threads = 1 if exact else free_cores()
    parameters: dict[str, Any] = {
        "objective": _OBJECTIVES[table.task],
        "tree_method": "exact" if exact else "hist",
        "max_depth": 6,
        "eta": _STEP if exact else _LONG_STEP,
        "subsample": 0.7,
        "colsample_bytree": 0.8,
        "min_child_weight": 0.1 if table.task == "binary" else 2.0,
        "nthread": threads,
        "seed": recipe.seed,
        **({"num_class": len(table.classes)} if table.task == "classes" else {}),
        **recipe.parameters,
    }
    # Binned as it is read: the same trees, without a copy of the rows.
    rows = (
        xgboost.DMatrix(matrix, target)
        if exact
        else xgboost.QuantileDMatrix(matrix, target, nthread=threads, max_bin=parameters.get("max_bin", 256))
    )
    rounds = recipe.trees if exact else max(round(recipe.trees * _STEP / _LONG_STEP), 1)
    return bytes(xgboost.train(parameters, rows, rounds).save_raw("ubj"))


def _fit_line(matrix: Floats, target: Floats, task: str, means: Floats) -> bytes:
    import numpy as np
    from sklearn.linear_model import LogisticRegression, Ridge

    centred = np.nan_to_num(matrix - means)
    scale = centred.std(axis=0)
    scale[scale == 0] = 1.0
    fitted = (Ridge() if task == "regression" else LogisticRegression(max_iter=2000)).fit(
        centred / scale, target
    )
    out = io.BytesIO()
    weights = np.ravel(fitted.coef_) / scale
    np.savez(out, weights=weights, intercept=np.ravel(fitted.intercept_)[0], means=means)
    return out.getvalue()


def _fit_forest(matrix: Floats, target: Floats, task: str, recipe: Recipe) -> bytes:
    from sklearn import ensemble, tree

    regression = task == "regression"
    if recipe.algorithm == "tree":
        made = tree.DecisionTreeRegressor if regression else tree.DecisionTreeClassifier
        one = made(max_depth=8, min_samples_leaf=5, random_state=recipe.seed).fit(matrix, target)
        return forest_bytes([one.tree_], regression)
    many = ensemble.RandomForestRegressor if regression else ensemble.RandomForestClassifier
    fitted = many(recipe.trees, max_features=0.6, random_state=recipe.seed, n_jobs=1).fit(matrix, target)
    return forest_bytes([t.tree_ for t in fitted.estimators_], regression)


def best_threshold(truth: Floats, scores: Floats) -> float:
    """The score from which on rows are called positive so that F1 is high: the mean of all thresholds that come within
    half a point of the best one, which by itself is half luck."""
    import numpy as np

    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(truth[order])
    f1 = 2 * hits / (np.arange(1, truth.size + 1) + truth.sum())
    below = np.append(ranked[1:], ranked[-1])
    width = ranked - below  # of the thresholds that call the same rows; none between equal scores
    good = (width > 0) & (f1 >= f1[width > 0].max(initial=0.0) - _AS_GOOD)
    if not good.any():
        return float(ranked[-1])
    return float(np.average((ranked + below)[good] / 2, weights=width[good]))


def f1_score(truth: Floats, called: NDArray[np.bool_]) -> float:
    """Harmonic mean of precision and recall of the ones; 0 where nothing is hit."""
    hits = float(truth[called].sum())
    total = float(called.sum() + truth.sum())
    return 2 * hits / total if total else 0.0


def measure(table: Table, predicted: Floats, start: int, threshold: float) -> dict[str, float]:
    """The metrics of the task, of the rows from `start` on."""
    import numpy as np

    truth = table.target[start:]
    if table.task == "regression":
        error = predicted - truth
        spread = float(((truth - truth.mean()) ** 2).mean())
        square = float((error**2).mean())
        found = {"rmse": square**0.5, "mae": float(np.abs(error).mean())}
        return found | ({"r2": 1 - square / spread} if spread else {})
    if table.task == "classes":
        each = [f1_score((truth == c).astype(float), predicted == c) for c in range(len(table.classes))]
        return {"accuracy": float((truth == predicted).mean()), "macro_f1": float(np.mean(each))}
    found = {"f1": f1_score(truth, predicted >= threshold), "brier": brier(truth, predicted)}
    if 0 < truth.sum() < truth.size:
        found |= {"auc": auc(truth, predicted), "average_precision": average_precision(truth, predicted)}
    return found
