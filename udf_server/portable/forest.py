"""Trees of scikit-learn: float32 features against float64 thresholds, leaves added in order in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING

from udf_server.models.forest import ForestModel
from udf_server.portable.document import Walkable, packed

if TYPE_CHECKING:
    from udf_server.models.store import Metadata


def read(metadata: Metadata, content: bytes) -> Walkable:
    """Its trees one after another, and each leaf's answers for every output."""
    model = ForestModel(metadata, content)
    trees = model.arrays
    outputs = trees["value"].shape[1]
    boosted = "base" in trees
    inner = trees["left"] >= 0
    answer = "value" if outputs == 1 else "second" if outputs == 2 else "likeliest"
    return Walkable(
        {
            "link": model.link,
            "single": False,
            "answer": answer,
            "base": packed(trees["base"] if boosted else [0.0] * outputs, "<f8"),
            "divide": 1 if boosted else len(trees["roots"]),
            "trees": {
                "roots": packed(trees["roots"], "<i4"),
                "left": packed(trees["left"], "<i4"),
                "right": packed(trees["right"], "<i4"),
                "feature": packed(trees["feature"], "<i4"),
                "threshold": packed(trees["threshold"], "<f8"),
                "missing_left": packed(trees["missing_left"], "<i4"),
                "leaf": packed(trees["value"], "<f8"),  # nodes by outputs
            },
        },
        model.margins,
        [trees["threshold"][inner & (trees["feature"] == at)] for at in range(len(metadata.features))],
    )
