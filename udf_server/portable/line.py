"""A line: weight times distance from the mean, added in the features' order, then the intercept, in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING

from udf_server.models.loaded import LinearModel
from udf_server.portable.document import Walkable, packed

if TYPE_CHECKING:
    from udf_server.models.store import Metadata


def read(metadata: Metadata, content: bytes) -> Walkable:
    """Its weights, means and intercept."""
    import numpy as np

    model = LinearModel(metadata, content)
    regression = metadata.settings.get("task") == "regression"
    return Walkable(
        {
            "link": "identity" if regression else "logistic",
            "single": False,
            "answer": "value",
            "base": packed([model.intercept], "<f8"),
            "line": {"weights": packed(model.weights, "<f8"), "means": packed(model.means, "<f8")},
        },
        lambda rows: model.margins(rows)[:, None],
        [np.array([mean]) for mean in model.means],
    )
