"""XGBoost's trees. Its margin of a row is the base margin plus the leaves' float32 answers, added in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from ksqlkit.imports import import_xgboost
from udf_server.models.derive import Derived
from udf_server.portable.document import NotPortable, Walkable, packed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from udf_server.models.store import Metadata

    Floats = NDArray[np.float64]

_LINKS: Final = {
    "binary:logistic": "logistic",
    "reg:logistic": "logistic",
    "multi:softprob": "softmax",
    "count:poisson": "exp",
    "reg:gamma": "exp",
    "reg:tweedie": "exp",
    "binary:logitraw": "identity",
    "rank:ndcg": "identity",
    "rank:pairwise": "identity",
    "reg:absoluteerror": "identity",
    "reg:pseudohubererror": "identity",
    "reg:squarederror": "identity",
}


def read(metadata: Metadata, content: bytes) -> Walkable:
    """Its trees one after another. Raises NotPortable for what is no plain sum of numeric trees."""
    import numpy as np

    booster = import_xgboost().Booster(model_file=bytearray(content))
    booster.set_param({"nthread": 1})
    booster.feature_names = None
    learner = orjson.loads(bytes(booster.save_raw("json")))["learner"]
    objective, kind = learner["objective"]["name"], learner["gradient_booster"]["name"]
    if objective not in _LINKS or kind != "gbtree":
        raise NotPortable(
            f"a {kind} model with objective {objective} cannot be walked elsewhere: "
            f"gbtree with {', '.join(sorted(_LINKS))} can"
        )
    model = learner["gradient_booster"]["model"]
    trees = model["trees"]
    if any(any(tree.get("split_type", ())) for tree in trees):
        raise NotPortable("a model with categorical splits cannot be walked elsewhere")
    link = _LINKS[objective]
    derived = Derived(metadata.features, metadata.settings.get("derived", ()))
    outputs = max(1, int(learner["learner_model_param"]["num_class"]))
    base = _base(learner["learner_model_param"]["base_score"], link, outputs)

    def margins(rows: Floats) -> Floats:
        found = booster.inplace_predict(derived(rows), predict_type="margin")
        return found.reshape(len(rows), -1).astype(np.float64)  # type: ignore[no-any-return]

    return Walkable(
        {
            "link": link,
            "single": True,
            "answer": "likeliest" if outputs > 1 else "value",
            "base": packed(base, "<f8"),
            "trees": _packed_trees(trees, model["tree_info"]),
        },
        margins,
        [_edges(trees, at) for at in range(len(metadata.features))],
    )


def _base(text: str, link: str, outputs: int) -> Floats:
    """Scores as margins; the float32 arithmetic is XGBoost's own."""
    import numpy as np

    score = np.array([float(s) for s in text.strip("[]").split(",")], dtype=np.float32)
    if link == "logistic":
        one = np.float32(1.0)
        margin = (-np.log((one / score - one).astype(np.float64))).astype(np.float32)
    elif link == "exp":
        margin = np.log(score.astype(np.float64)).astype(np.float32)
    else:
        margin = score
    return np.resize(margin, outputs).astype(np.float64)


def _packed_trees(trees: list[Mapping[str, Any]], outputs: list[int]) -> dict[str, Any]:
    import numpy as np

    starts = np.concatenate(([0], np.cumsum([len(t["left_children"]) for t in trees])))[:-1]
    moved = {
        side: np.concatenate(
            [
                np.where(np.array(tree[side]) < 0, -1, np.array(tree[side]) + start)
                for tree, start in zip(trees, starts, strict=True)
            ]
        )
        for side in ("left_children", "right_children")
    }
    flat = {
        key: np.concatenate([np.array(tree[key]) for tree in trees])
        for key in ("split_indices", "split_conditions", "default_left")
    }
    return {
        "roots": packed(starts, "<i4"),
        "outputs": packed(outputs, "<i4"),
        "left": packed(moved["left_children"], "<i4"),
        "right": packed(moved["right_children"], "<i4"),
        "feature": packed(flat["split_indices"], "<i4"),
        "value": packed(flat["split_conditions"], "<f4"),  # a split's threshold, a leaf's answer
        "missing_left": packed(flat["default_left"], "<i4"),
    }


def _edges(trees: list[Mapping[str, Any]], feature: int) -> Floats:
    import numpy as np

    found = [
        value
        for tree in trees
        for value, split, left in zip(
            tree["split_conditions"], tree["split_indices"], tree["left_children"], strict=True
        )
        if left >= 0 and split == feature
    ]
    return np.array(found, dtype=np.float32).astype(np.float64)
