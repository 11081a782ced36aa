"""Models in a form that the bridge walks in Java: the trees of an XGBoost model, its calibration, and rows with the
answers they must get, checked when the file is read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from ksqlkit.errors import DataError, UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from udf_server.models.store import Metadata, ModelStore

    Floats = NDArray[np.float32]

FORMAT: Final = "ksqlkit-trees-1"
VECTORS: Final = 200
_LINKS: Final = {"binary:logistic": "logistic", "reg:squarederror": "identity"}


def write_portable(store: ModelStore, name: str, version: int | None, out: Path) -> Metadata:
    """Write a model version's portable form. Raises UserError for a model that has none, ModelError as the store."""
    from udf_server.errors import ModelError
    from udf_server.models.loaded import load

    try:
        chosen = store.live(name) if version is None else version
        metadata, content = store.read(name, chosen)
        loaded = load(store, name, chosen)
    except ModelError as error:
        raise UserError(str(error)) from error
    if metadata.kind != "xgboost":
        raise UserError(
            f"Model {name} is of kind {metadata.kind}; only xgboost models can be walked inside ksqlDB",
            hint="leave the function's lane on remote",
        )
    document = portable(content, metadata.features, metadata.calibration)
    rows = vector_rows(document["trees"], len(metadata.features), VECTORS)
    document |= {
        "name": name,
        "version": chosen,
        "vectors": {
            "rows": _bits_or_none(rows),
            "margins": _bits(margins(content, rows)),
            "values": loaded.predict(rows.astype("float64")).tolist(),
        },
    }
    draft = out.with_name(out.name + ".draft")
    draft.write_bytes(encode(document))
    draft.replace(out)  # the bridge may be reading it
    return metadata


def encode(document: Mapping[str, Any]) -> bytes:
    """The file: a line with format and checksum, then the model."""
    body = orjson.dumps(document)
    return orjson.dumps({"format": FORMAT, "sha256": hashlib.sha256(body).hexdigest()}) + b"\n" + body


def portable(content: bytes, features: Sequence[str], calibration: Mapping[str, Any]) -> dict[str, Any]:
    """The model of a saved booster. Floats are given by their bits as signed integers, so that none is rounded.

    Raises UserError for what is not a plain sum of numeric trees."""
    import numpy as np

    from udf_server.models.boosting import import_xgboost

    booster = import_xgboost().Booster(model_file=bytearray(content))
    learner = orjson.loads(bytes(booster.save_raw("json")))["learner"]
    objective = learner["objective"]["name"]
    if objective not in _LINKS or learner["gradient_booster"]["name"] != "gbtree":
        raise UserError(
            f"A {learner['gradient_booster']['name']} model with objective {objective} cannot be walked inside ksqlDB",
            hint=f"it takes gbtree with {' or '.join(_LINKS)}",
        )
    if int(learner["learner_model_param"]["num_feature"]) != len(features):
        raise DataError(
            f"the model has {learner['learner_model_param']['num_feature']} features, not {len(features)}"
        )
    base = np.float32(learner["learner_model_param"]["base_score"].strip("[]"))
    one = np.float32(1.0)
    margin = -np.log(np.float64(one / base - one)) if _LINKS[objective] == "logistic" else np.float64(base)
    return {
        "features": list(features),
        "link": _LINKS[objective],
        "base_margin": _bits(np.array([margin], dtype=np.float32))[0],
        "calibration": dict(calibration),
        "trees": [_tree(tree) for tree in learner["gradient_booster"]["model"]["trees"]],
    }


def _tree(tree: Mapping[str, Any]) -> dict[str, Any]:
    import numpy as np

    if any(tree.get("split_type", ())):
        raise UserError("A model with categorical splits cannot be walked inside ksqlDB")
    return {
        "left": tree["left_children"],
        "right": tree["right_children"],
        "feature": tree["split_indices"],
        "value": _bits(np.array(tree["split_conditions"], dtype=np.float32)),  # at a leaf, its answer
        "missing_left": [int(flag) for flag in tree["default_left"]],
    }


def _bits(values: Floats) -> list[int]:
    import numpy as np

    found: list[int] = np.ascontiguousarray(values, dtype=np.float32).view(np.int32).tolist()
    return found


def _bits_or_none(rows: Floats) -> list[list[int | None]]:
    import numpy as np

    missing = np.isnan(rows)
    return [
        [None if gone else bits for bits, gone in zip(_bits(row), lost, strict=True)]
        for row, lost in zip(rows, missing.tolist(), strict=True)
    ]


def vector_rows(trees: Sequence[Mapping[str, Any]], features: int, count: int, seed: int = 7) -> Floats:
    """Rows that tell walkers apart: thresholds themselves, the floats beside them, and missing values."""
    import numpy as np

    random = np.random.default_rng(seed)
    edges: list[list[float]] = [[0.0] for _ in range(features)]
    for tree in trees:
        values = np.array(tree["value"], dtype=np.int32).view(np.float32)
        for node, left in enumerate(tree["left"]):
            if left >= 0:
                edges[tree["feature"][node]].append(float(values[node]))
    columns = []
    for found in edges:
        picked = random.choice(np.array(found, dtype=np.float32), count)
        step = random.integers(0, 4, count)
        up, down = np.nextafter(picked, np.float32(np.inf)), np.nextafter(picked, np.float32(-np.inf))
        columns.append(np.choose(step, [picked, up, down, np.full(count, np.nan, dtype=np.float32)]))
    return np.stack(columns, axis=1).astype(np.float32)


def margins(content: bytes, rows: Floats) -> Floats:
    """XGBoost's own margins."""
    from udf_server.models.boosting import import_xgboost

    booster = import_xgboost().Booster(model_file=bytearray(content))
    booster.set_param({"nthread": 1})
    found: Floats = booster.inplace_predict(rows, predict_type="margin")
    return found
