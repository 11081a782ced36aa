"""Models made elsewhere, into the registry: only from formats that cannot run code."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

from udf_server.errors import ModelError
from udf_server.models.boosting import import_xgboost
from udf_server.models.forest import forest_bytes
from udf_server.models.loaded import load_bytes
from udf_server.models.onnx import open_session
from udf_server.models.store import Metadata, ModelStore

FORMATS: Final = (".onnx", ".ubj", ".json", ".skops", ".npz")
# Read, never run: the arrays of trees, and of boosted ones the kind of loss.
_SAFE: Final = frozenset(
    (
        "numpy.dtype",
        "sklearn.tree._tree.Tree",
        "sklearn._loss._loss.CyHalfBinomialLoss",
        "sklearn._loss._loss.CyHalfMultinomialLoss",
        "sklearn._loss._loss.CyHalfSquaredError",
    )
)
_TASKS: Final = {"reg": "regression", "binary": "binary", "multi": "classes"}


def import_model(
    path: Path,
    store: ModelStore,
    name: str,
    *,
    features: Sequence[str] = (),
    classes: Sequence[str] = (),
    task: str | None = None,
    promote: bool = True,
) -> Metadata:
    """Read, try and publish a model file. Without `features`, their names come from the file, or are F1, F2 ...

    Raises ModelError for a format that may run code (pickle, joblib), or that does not load or answer a row."""
    kind = path.suffix.lower()
    if kind in (".pkl", ".pickle", ".joblib", ".pt", ".pth"):
        raise ModelError(
            f"{path.name} may run any code when it is read; export it to ONNX, or save it with skops"
        )
    if kind not in FORMATS:
        raise ModelError(f"{path.name}: cannot tell what kind of model this is; name it {', '.join(FORMATS)}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    if kind == ".onnx":
        given = _onnx(content, len(features))
    elif kind in (".ubj", ".json"):
        given = _xgboost(content)
    elif kind == ".skops":
        given = from_estimator(_skops(path))
    else:
        given = {
            "kind": "forest" if _is_forest(content) else "linear",
            "file": "model.npz",
            "content": content,
        }
    count = given.pop("count", len(features))
    names = tuple(features) or tuple(given.pop("names", ()) or (f"F{i}" for i in range(1, count + 1)))
    given.pop("names", None)
    settings = {"task": task or given.pop("task", "regression")}
    given.pop("task", None)
    if len(names) != count:
        raise ModelError(f"{path.name} takes {count} features, not {len(names)}")
    model_bytes = given.pop("content")
    words = tuple(classes) or tuple(given.pop("classes", ()))
    given.pop("classes", None)
    draft = Metadata(name, 0, sha256="", features=names, classes=words, settings=settings, **given)
    _try(draft, model_bytes)
    return store.publish(
        name,
        model_bytes,
        features=names,
        classes=words,
        settings=settings,
        training_data={"description": f"imported from {path.name}"},
        promote=promote,
        **given,
    )


def _try(metadata: Metadata, content: bytes) -> None:
    """A model that cannot answer a row of zeros is refused."""
    import numpy as np

    model = load_bytes(metadata, content)
    try:
        answer = model.predict(np.zeros((2, len(metadata.features))))
    except Exception as error:  # the libraries have no common parent
        raise ModelError(
            f"the model does not answer a row of {len(metadata.features)} zeros: {error}"
        ) from error
    if answer.shape != (2,):
        raise ModelError(f"the model answers {answer.shape[1:]} numbers a row, not one")


def _xgboost(content: bytes) -> dict[str, Any]:
    import orjson

    xgboost = import_xgboost()
    try:
        booster = xgboost.Booster(model_file=bytearray(content))
        objective = orjson.loads(booster.save_config())["learner"]["objective"]["name"]
    except (xgboost.core.XGBoostError, ValueError, KeyError) as error:
        raise ModelError(f"XGBoost refuses the model: {str(error).splitlines()[0]}") from error
    return {
        "kind": "xgboost",
        "file": "model.ubj",
        "content": bytes(booster.save_raw("ubj")),
        "count": booster.num_features(),
        "names": [str(n).upper() for n in booster.feature_names or ()],
        "task": _TASKS.get(objective.partition(":")[0], "regression"),
    }


def _onnx(content: bytes, named: int) -> dict[str, Any]:
    session = open_session(content)
    shape = session.get_inputs()[0].shape
    outputs = session.get_outputs()
    count = shape[1] if len(shape) == 2 and isinstance(shape[1], int) else named
    if len(shape) != 2 or not count:
        raise ModelError(
            f"the ONNX model's input is {shape}; name its features, or export it with their number"
        )
    wide = outputs[-1].shape[1] if len(outputs[-1].shape) == 2 else 1
    task = "regression" if wide in (1, None) and len(outputs) == 1 else "binary" if wide == 2 else "classes"
    return {"kind": "onnx", "file": "model.onnx", "content": content, "count": count, "task": task}


def _skops(path: Path) -> Any:
    try:
        from skops.io import get_untrusted_types, load
    except ImportError as error:
        raise ModelError("scikit-learn models need skops: install ksqlkit[skops]") from error
    try:
        unknown = sorted(set(get_untrusted_types(file=path)) - _SAFE)
        if unknown:
            raise ModelError(
                f"{path.name} holds types that are not known to be safe: {', '.join(unknown[:5])}"
            )
        return load(path, trusted=sorted(_SAFE))
    except (BadZipFile, KeyError, ValueError, TypeError, AttributeError, EOFError) as error:
        raise ModelError(f"{path.name} is no file that skops wrote: {error}") from error


def _is_forest(content: bytes) -> bool:
    import numpy as np

    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return "roots" in arrays.files
    except (ValueError, OSError, EOFError) as error:
        raise ModelError(f"it is no .npz of plain arrays: {error}") from error


def from_estimator(estimator: Any) -> dict[str, Any]:
    """A fitted scikit-learn tree, forest, gradient boosting, linear or logistic model, or a pipeline of scalers and a
    linear one, as our own arrays; raises ModelError for others."""
    import numpy as np

    first, kind = estimator, type(estimator).__name__
    steps: list[Any] = []
    if hasattr(estimator, "steps"):
        *steps, estimator = [step for _, step in estimator.steps if step not in (None, "passthrough")]
        kind = type(estimator).__name__
    regression = not hasattr(estimator, "classes_")
    classes = () if regression else tuple(map(str, estimator.classes_))
    task = "regression" if regression else "binary" if len(classes) == 2 else "classes"
    given = {
        "file": "model.npz",
        "count": first.n_features_in_,
        "names": [str(n).upper() for n in getattr(first, "feature_names_in_", ())],
        "classes": classes,
        "task": task,
    }
    if hasattr(estimator, "coef_") and task != "classes":
        if task == "binary" and not _is_logistic(estimator):
            raise ModelError(f"a {kind} gives no probabilities by a logistic line; export it to ONNX")
        return given | {"kind": "linear", "content": _line_bytes(steps, estimator)}
    if steps:
        raise ModelError(f"a pipeline that ends in a {kind} is not read; export it to ONNX")
    if kind.startswith("GradientBoosting"):
        return given | {"kind": "forest", "content": _boosting_bytes(estimator)}
    if hasattr(estimator, "estimators_") and all(
        hasattr(t, "tree_") for t in np.ravel(estimator.estimators_)
    ):
        trees = [t.tree_ for t in np.ravel(estimator.estimators_)]
        return given | {"kind": "forest", "content": forest_bytes(trees, regression)}
    if hasattr(estimator, "tree_"):
        return given | {"kind": "forest", "content": forest_bytes([estimator.tree_], regression)}
    raise ModelError(f"a {kind} is not read; export it to ONNX")


def _is_logistic(estimator: Any) -> bool:
    return type(estimator).__name__.startswith("LogisticRegression") or (
        type(estimator).__name__ == "SGDClassifier" and estimator.loss == "log_loss"
    )


def _line_bytes(steps: Sequence[Any], estimator: Any) -> bytes:
    """A line over features as they are given: what scalers and imputers before it do goes into its numbers. Raises
    ModelError for a step that is none."""
    import numpy as np

    weights = np.ravel(estimator.coef_).astype(np.float64)
    intercept = float(np.ravel(estimator.intercept_)[0])
    means = np.zeros(len(weights))
    for step in reversed(steps):
        kind = type(step).__name__
        if kind == "SimpleImputer" and len(step.statistics_) == len(weights) and not step.add_indicator:
            intercept += float((weights * (step.statistics_ - means)).sum())
            means = np.array(step.statistics_, dtype=np.float64)
            continue
        if kind in ("StandardScaler", "RobustScaler", "MaxAbsScaler"):
            scale = getattr(step, "scale_", None)
            centre = getattr(step, "mean_" if kind == "StandardScaler" else "center_", None)
            scale = np.ones(len(weights)) if scale is None else np.asarray(scale)
            if kind == "StandardScaler" and not step.with_mean:
                centre = None
            centre = np.zeros(len(weights)) if centre is None else np.asarray(centre)
        elif kind == "MinMaxScaler" and not step.clip:
            scale, centre = 1.0 / step.scale_, -step.min_ / step.scale_
        else:
            raise ModelError(f"a pipeline with a {kind} is not read; export it to ONNX")
        means, weights = centre + means * scale, weights / scale
    out = io.BytesIO()
    np.savez(out, weights=weights, intercept=intercept, means=means)
    return out.getvalue()


def _boosting_bytes(estimator: Any) -> bytes:
    """Boosted trees with what they start from, which must be the same for every row."""
    import numpy as np

    if estimator.init not in (None, "zero"):
        raise ModelError("gradient boosting that starts from another model is not read; export it to ONNX")
    if getattr(estimator, "loss", None) not in ("log_loss", "squared_error", "huber", "absolute_error"):
        raise ModelError(f"gradient boosting with loss {estimator.loss} is not read; export it to ONNX")
    start = estimator._raw_predict_init(np.zeros((1, estimator.n_features_in_)))
    trees = [t.tree_ for t in np.ravel(estimator.estimators_)]
    return forest_bytes(trees, True, np.ravel(start).astype(np.float64), float(estimator.learning_rate))
