"""Models made elsewhere, into the registry: only from formats that cannot run code."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from udf_server.errors import ModelError
from udf_server.models.boosting import import_xgboost
from udf_server.models.forest import forest_bytes
from udf_server.models.loaded import load_bytes
from udf_server.models.onnx import open_session
from udf_server.models.store import Metadata, ModelStore

FORMATS: Final = (".onnx", ".ubj", ".json", ".skops", ".npz")
_TREES: Final = frozenset(("sklearn.tree._tree.Tree",))
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
    # Trees are arrays; we read them and never run them.
    unknown = sorted(set(get_untrusted_types(file=path)) - _TREES)
    if unknown:
        raise ModelError(f"{path.name} holds types that are not known to be safe: {', '.join(unknown[:5])}")
    return load(path, trusted=sorted(_TREES))


def _is_forest(content: bytes) -> bool:
    import numpy as np

    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return "roots" in arrays.files
    except (ValueError, OSError, EOFError) as error:
        raise ModelError(f"it is no .npz of plain arrays: {error}") from error


def from_estimator(estimator: Any) -> dict[str, Any]:
    """A fitted scikit-learn tree, forest, linear or logistic model as our own arrays; raises ModelError for others."""
    import numpy as np

    regression = not hasattr(estimator, "classes_")
    classes = () if regression else tuple(map(str, estimator.classes_))
    names = [str(n).upper() for n in getattr(estimator, "feature_names_in_", ())]
    task = "regression" if regression else "binary" if len(classes) == 2 else "classes"
    given = {
        "file": "model.npz",
        "count": estimator.n_features_in_,
        "names": names,
        "classes": classes,
        "task": task,
    }
    if hasattr(estimator, "estimators_") and all(
        hasattr(t, "tree_") for t in np.ravel(estimator.estimators_)
    ):
        if type(estimator).__name__.startswith("GradientBoosting"):
            raise ModelError(
                "gradient boosting of scikit-learn is not read; export it to ONNX, or train with XGBoost"
            )
        trees = [t.tree_ for t in np.ravel(estimator.estimators_)]
        return given | {"kind": "forest", "content": forest_bytes(trees, regression)}
    if hasattr(estimator, "tree_"):
        return given | {"kind": "forest", "content": forest_bytes([estimator.tree_], regression)}
    if hasattr(estimator, "coef_") and task != "classes":
        weights = np.ravel(estimator.coef_).astype(np.float64)
        out = io.BytesIO()
        np.savez(
            out, weights=weights, intercept=np.ravel(estimator.intercept_)[0], means=np.zeros(len(weights))
        )
        return given | {"kind": "linear", "content": out.getvalue()}
    raise ModelError(f"a {type(estimator).__name__} is not read; export it to ONNX")
