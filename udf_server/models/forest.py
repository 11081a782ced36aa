"""Decision trees and forests of scikit-learn, as plain arrays in .npz."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from udf_server.errors import ModelError
from udf_server.models.derive import Derived
from udf_server.models.explain import shapley
from udf_server.models.loaded import Calibration, of_two
from udf_server.models.store import Metadata

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class ForestModel:
    """The mean of trees. A node goes left where its feature is at most its threshold; a missing value goes where the
    node says."""

    def __init__(self, metadata: Metadata, content: bytes) -> None:
        import numpy as np

        self.metadata = metadata
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            self._left, self._right = arrays["left"], arrays["right"]
            self._feature, self._threshold = arrays["feature"], arrays["threshold"]
            self._missing_left, self._value = arrays["missing_left"], arrays["value"]
            self._roots = arrays["roots"]
        nodes = len(self._left)
        sound = all(len(a) == nodes for a in (self._right, self._feature, self._threshold, self._value))
        self._derived = Derived(metadata.features, metadata.settings.get("derived", ()))
        if not sound or max(self._left.max(), self._right.max()) >= nodes:
            raise ModelError("its trees' arrays do not fit each other")
        # A child comes after its parent, so every walk ends.
        inner = np.flatnonzero(self._left >= 0)
        if (self._left[inner] <= inner).any() or (self._right[inner] <= inner).any():
            raise ModelError("its trees have a loop")
        if self._feature.max() >= self._derived.width:
            raise ModelError(f"its trees use more than {self._derived.width} features")
        self._calibrate = Calibration(metadata.calibration)

    def predict(self, matrix: Floats) -> Floats:
        """As the protocol has it."""
        raw = self._outputs(matrix)
        if self.metadata.settings.get("task") == "regression":
            return raw[:, 0]
        return self._calibrate(raw[:, 1]) if raw.shape[1] == 2 else raw.argmax(axis=1).astype("float64")

    def probabilities(self, matrix: Floats) -> Floats:
        """Rows by classes."""
        if self.metadata.settings.get("task") == "regression":
            raise ModelError(f"model {self.metadata.name} predicts a value, not classes")
        raw = self._outputs(matrix)
        return of_two(self._calibrate(raw[:, 1])) if raw.shape[1] == 2 else raw

    def attributions(self, matrix: Floats, exact: bool = False) -> Floats:
        """What each feature's splits add on the way to the leaves (Saabas 2014), in the prediction's unit; exact:
        Shapley values against the training data's means."""
        import numpy as np

        if exact:
            return shapley(
                self.predict, matrix, np.array(self.metadata.settings["baseline"], dtype=np.float64)
            )
        wide = self._derived(matrix)
        out = np.zeros_like(wide)
        raw = self._outputs(matrix)
        classes = np.full(len(wide), 0) if raw.shape[1] == 1 else raw.argmax(axis=1)
        if raw.shape[1] == 2:
            classes[:] = 1
        rows = np.arange(len(wide))
        for root in self._roots:
            at = np.full(len(wide), root)
            while (moving := self._left[at] >= 0).any():
                to = self._step(wide, at)
                gained = (self._value[to, classes] - self._value[at, classes]) / len(self._roots)
                out[rows[moving], self._feature[at[moving]]] += gained[moving]
                at = np.where(moving, to, at)
        return self._derived.fold(out)

    def _outputs(self, matrix: Floats) -> Floats:
        import numpy as np

        wide = self._derived(matrix)
        total = np.zeros((len(wide), self._value.shape[1]))
        for root in self._roots:
            at = np.full(len(wide), root)
            while (moving := self._left[at] >= 0).any():
                at = np.where(moving, self._step(wide, at), at)
            total += self._value[at]
        return total / len(self._roots)

    def _step(self, matrix: Floats, at: NDArray[np.int64]) -> NDArray[np.int64]:
        import numpy as np

        value = matrix[np.arange(len(at)), self._feature[at]]
        # scikit-learn compares in single precision.
        left = value.astype(np.float32) <= self._threshold[at]
        goes_left = np.where(np.isnan(value), self._missing_left[at], left)
        to: NDArray[np.int64] = np.where(goes_left, self._left[at], self._right[at])
        return to


def forest_bytes(trees: Sequence[Any], regression: bool) -> bytes:
    """The .npz of fitted scikit-learn trees (`estimator.tree_` each): the arrays of all, one after another."""
    import numpy as np

    parts: dict[str, list[Any]] = {
        k: [] for k in ("left", "right", "feature", "threshold", "missing_left", "value")
    }
    roots, start = [], 0
    for tree in trees:
        roots.append(start)
        inner = tree.children_left >= 0
        parts["left"].append(np.where(inner, tree.children_left + start, -1))
        parts["right"].append(np.where(inner, tree.children_right + start, -1))
        parts["feature"].append(np.maximum(tree.feature, 0))
        parts["threshold"].append(tree.threshold)
        parts["missing_left"].append(np.asarray(tree.missing_go_to_left, dtype=bool))
        value = tree.value[:, 0, :]
        parts["value"].append(value if regression else value / value.sum(axis=1, keepdims=True))
        start += tree.node_count
    out = io.BytesIO()
    arrays: dict[str, Any] = {k: np.concatenate(v) for k, v in parts.items()}
    np.savez_compressed(out, roots=np.array(roots), **arrays)
    return out.getvalue()
