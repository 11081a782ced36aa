"""Models made elsewhere, into the registry: only from formats that cannot run code."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

from ksqlkit.imports import import_xgboost
from udf_server.errors import ModelError
from udf_server.models.forest import forest_bytes
from udf_server.models.loaded import load_bytes
from udf_server.models.onnx import OnnxModel, open_session
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
_TASKS: Final = {"binary:logistic": "binary", "multi:softprob": "classes", "multi:softmax": "classes"}
_NEARLY: Final = 1e-3
_READ: Final = """
import sys
from ksqlkit.imports import import_xgboost
booster = import_xgboost().Booster(model_file=bytearray(open(sys.argv[1], "rb").read()))
booster.save_config(), booster.num_features()
"""


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
        given = _onnx(content, len(features), task)
    elif kind in (".ubj", ".json"):
        given = _xgboost(path, content)
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
    settings = {"task": task or given.get("task", "regression"), **given.pop("settings", {})}
    given.pop("task", None)
    if len(names) != count:
        raise ModelError(f"{path.name} takes {count} features, not {len(names)}")
    model_bytes = given.pop("content")
    words = tuple(classes) or tuple(given.pop("classes", ()))
    given.pop("classes", None)
    draft = Metadata(name, 0, sha256="", features=names, classes=words, settings=settings, **given)
    words = _try(draft, model_bytes)
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


def _try(metadata: Metadata, content: bytes) -> tuple[str, ...]:
    """The names of the classes, their numbers where they have none; a model that cannot answer is refused."""
    import numpy as np

    model = load_bytes(metadata, content)
    rows = np.zeros((2, len(metadata.features)))
    try:
        answer = model.predict(rows)
        classes = model.probabilities(rows).shape[1] if metadata.settings["task"] != "regression" else 0
    except Exception as error:  # the libraries have no common parent
        raise ModelError(
            f"the model does not answer a row of {len(metadata.features)} zeros: {error}"
        ) from error
    if answer.shape != (2,):
        raise ModelError(f"the model answers {answer.shape[1:]} numbers a row, not one")
    if metadata.classes and len(metadata.classes) != classes:
        raise ModelError(f"the model has {classes or 'no'} classes, not {len(metadata.classes)}")
    return metadata.classes or tuple(map(str, range(classes)))


def _xgboost(path: Path, content: bytes) -> dict[str, Any]:
    import orjson

    xgboost = import_xgboost()
    try:
        # A file that is cut off can end the process that reads it.
        tried = subprocess.run(
            [sys.executable, "-c", _READ, str(path)], capture_output=True, text=True, timeout=60, check=False
        )
        if tried.returncode:
            raise ModelError(f"XGBoost refuses {path.name}: it is cut off, or nothing that XGBoost saved")
        booster = xgboost.Booster(model_file=bytearray(content))
        objective = str(orjson.loads(booster.save_config())["learner"]["objective"]["name"])
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"XGBoost did not read {path.name} within a minute") from error
    except (xgboost.core.XGBoostError, ValueError, KeyError) as error:
        raise ModelError(f"XGBoost refuses {path.name}: {str(error).splitlines()[0]}") from error
    if objective == "multi:softmax":  # which answers the likeliest class alone
        booster.set_param({"objective": "multi:softprob"})
    return {
        "kind": "xgboost",
        "file": "model.ubj",
        "content": bytes(booster.save_raw("ubj")),
        "count": booster.num_features(),
        "names": [str(n).upper() for n in booster.feature_names or ()],
        "task": _TASKS.get(objective, "regression"),
    }


def _onnx(content: bytes, named: int, task: str | None) -> dict[str, Any]:
    """What an ONNX model is, as its answers to made rows show; `link` is what makes chances of them."""
    import numpy as np

    shape = open_session(content).get_inputs()[0].shape
    count = shape[1] if len(shape) == 2 and isinstance(shape[1], int) else named
    if len(shape) != 2 or not count:
        raise ModelError(
            f"the ONNX model's input is {shape}; name its features, or export it with their number"
        )
    names = tuple(f"F{i}" for i in range(count))
    model = OnnxModel(Metadata("", 0, kind="onnx", file="model.onnx", sha256="", features=names), content)
    rows = np.random.default_rng(7).normal(size=(64, count))
    try:
        raw = model.outputs(rows)
    except Exception as error:  # onnxruntime has a dozen kinds, of no common parent
        raise ModelError(
            f"the ONNX model does not answer {len(rows)} rows of {count} numbers: {error}"
        ) from error
    wide = raw.shape[1]
    found = task or ("regression" if wide == 1 else "binary" if wide == 2 else "classes")
    settings = {}
    chances = raw.min() >= -_NEARLY and raw.max() <= 1 + _NEARLY
    if found != "regression":
        if wide == 1 and not chances:
            settings["link"] = "logistic"
        elif wide > 1 and not (chances and np.allclose(raw.sum(axis=1), 1.0, atol=_NEARLY)):
            settings["link"] = "softmax"
    given = {"kind": "onnx", "file": "model.onnx", "content": content, "count": count, "task": found}
    return given | {"settings": settings}


def _skops(path: Path) -> Any:
    try:
        from skops.io import get_untrusted_types, load
    except ImportError as error:
        raise ModelError("scikit-learn models need skops: install ksqlkit[skops]") from error
    try:
        unknown = sorted(set(get_untrusted_types(file=path)) - _SAFE)
        if unknown:
            raise ModelError(
                f"{path.name} holds types that are not known to be safe: {', '.join(unknown[:5])}",
                hint="Export it to ONNX with skl2onnx.",
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
