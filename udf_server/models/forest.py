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
    """The mean of trees, or with a `base` the sum of boosted ones. A node goes left where its feature is at most its
    threshold; a missing value goes where the node says."""

    def __init__(self, metadata: Metadata, content: bytes) -> None:
        import numpy as np

        self.metadata = metadata
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            self.arrays = arrays = dict(file)
            self._left, self._right = arrays["left"], arrays["right"]
            self._feature, self._threshold = arrays["feature"], arrays["threshold"]
            self._missing_left, self._value = arrays["missing_left"], arrays["value"]
            self._roots = arrays["roots"]
        self._base: Floats | None = arrays.get("base")
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
        self.link = "identity"
        if self._base is not None:
            if len(self._base) != self._value.shape[1]:
                raise ModelError("its base does not fit its trees")
            if metadata.settings.get("task") != "regression":
                self.link = "logistic" if len(self._base) == 1 else "softmax"

    def predict(self, matrix: Floats) -> Floats:
        """As the protocol has it."""
        if self.metadata.settings.get("task") == "regression":
            return self.margins(matrix)[:, 0]
        raw = self._chances(matrix)
        return self._calibrate(raw[:, 1]) if raw.shape[1] == 2 else raw.argmax(axis=1).astype("float64")

    def probabilities(self, matrix: Floats) -> Floats:
        """Rows by classes."""
        if self.metadata.settings.get("task") == "regression":
            raise ModelError(f"model {self.metadata.name} predicts a value, not classes")
        raw = self._chances(matrix)
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
        raw = self.margins(matrix)
        shared = 1 if self._base is not None else len(self._roots)
        classes = np.full(len(wide), 0) if raw.shape[1] == 1 else raw.argmax(axis=1)
        if raw.shape[1] == 2:
            classes[:] = 1
        rows = np.arange(len(wide))
        for root in self._roots:
            at = np.full(len(wide), root)
            while (moving := self._left[at] >= 0).any():
                to = self._step(wide, at)
                gained = (self._value[to, classes] - self._value[at, classes]) / shared
                out[rows[moving], self._feature[at[moving]]] += gained[moving]
                at = np.where(moving, to, at)
        return self._derived.fold(out)

    def _chances(self, matrix: Floats) -> Floats:
        import numpy as np

        raw = self.margins(matrix)
        if self.link == "logistic":
            return of_two(1.0 / (1.0 + np.exp(-np.clip(raw[:, 0], -500, 500))))
        if self.link == "softmax":
            raw = np.exp(raw - raw.max(axis=1, keepdims=True))
            raw /= raw.sum(axis=1, keepdims=True)
        return raw

    def margins(self, matrix: Floats) -> Floats:
        """What the trees answer together, rows by outputs."""
        import numpy as np

        wide = self._derived(matrix)
        total = np.zeros((len(wide), self._value.shape[1]))
        if self._base is not None:
            total += self._base
        for root in self._roots:
            at = np.full(len(wide), root)
            while (moving := self._left[at] >= 0).any():
                at = np.where(moving, self._step(wide, at), at)
            total += self._value[at]
        return total if self._base is not None else total / len(self._roots)

    def _step(self, matrix: Floats, at: NDArray[np.int64]) -> NDArray[np.int64]:
        import numpy as np

        value = matrix[np.arange(len(at)), self._feature[at]]
        # scikit-learn compares in single precision.
        left = value.astype(np.float32) <= self._threshold[at]
        goes_left = np.where(np.isnan(value), self._missing_left[at], left)
        to: NDArray[np.int64] = np.where(goes_left, self._left[at], self._right[at])
        return to


def forest_bytes(
    trees: Sequence[Any], regression: bool, base: Floats | None = None, rate: float = 1.0
) -> bytes:
    """The .npz of fitted scikit-learn trees (`estimator.tree_` each): the arrays of all, one after another. Boosted
    ones come with a `base`, and their learning rate; tree number t adds to output t modulo those of the base."""
    import numpy as np

    parts: dict[str, list[Any]] = {
        k: [] for k in ("left", "right", "feature", "threshold", "missing_left", "value")
    }
    roots, start = [], 0
    for number, tree in enumerate(trees):
        roots.append(start)
        inner = tree.children_left >= 0
        parts["left"].append(np.where(inner, tree.children_left + start, -1))
        parts["right"].append(np.where(inner, tree.children_right + start, -1))
        parts["feature"].append(np.maximum(tree.feature, 0))
        parts["threshold"].append(tree.threshold)
        parts["missing_left"].append(np.asarray(tree.missing_go_to_left, dtype=bool))
        value = tree.value[:, 0, :]
        if base is not None:
            spread = np.zeros((len(value), len(base)))
            spread[:, number % len(base)] = rate * value[:, 0]
            parts["value"].append(spread)
        else:
            parts["value"].append(value if regression else value / value.sum(axis=1, keepdims=True))
        start += tree.node_count
    out = io.BytesIO()
    arrays: dict[str, Any] = {k: np.concatenate(v) for k, v in parts.items()}
    if base is not None:
        arrays["base"] = base
    np.savez_compressed(out, roots=np.array(roots), **arrays)
    return out.getvalue()
