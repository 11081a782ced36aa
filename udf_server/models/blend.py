"""Boosted trees and a forest together: where they err differently, their mean errs less."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from udf_server.errors import ModelError
from udf_server.models.explain import occlusion, shapley
from udf_server.models.loaded import Calibration, load_bytes, of_two
from udf_server.models.store import Metadata

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MEMBERS: Final = (("xgboost", "model.ubj"), ("forest", "model.npz"))


def blend_bytes(parts: Sequence[bytes]) -> bytes:
    """The two members' bytes, each after its length."""
    return b"".join(struct.pack("<Q", len(part)) + part for part in parts)


def blend_parts(metadata: Metadata, content: bytes) -> list[tuple[Metadata, bytes]]:
    """The members, as models of their own that are not calibrated. Raises ModelError."""
    out = []
    at = 0
    for kind, file in _MEMBERS:
        if at + 8 > len(content):
            raise ModelError("it is cut off")
        (size,) = struct.unpack_from("<Q", content, at)
        part = content[at + 8 : at + 8 + size]
        out.append((replace(metadata, kind=kind, file=file, calibration={}), part))
        at += 8 + size
    return out


class BlendModel:
    """The mean of an XGBoost model and a forest of the same rows."""

    def __init__(self, metadata: Metadata, content: bytes) -> None:
        self.metadata = metadata
        self._members = [load_bytes(*part) for part in blend_parts(metadata, content)]
        self._calibrate = Calibration(metadata.calibration)

    def predict(self, matrix: Floats) -> Floats:
        """As the protocol has it."""
        if self.metadata.settings.get("task") == "classes":
            likeliest: Floats = self.probabilities(matrix).argmax(axis=1).astype("float64")
            return likeliest
        first, second = (member.predict(matrix) for member in self._members)
        return self._calibrate((first + second) / 2)

    def probabilities(self, matrix: Floats) -> Floats:
        """Rows by classes."""
        first, second = (member.probabilities(matrix) for member in self._members)
        mean = (first + second) / 2
        return of_two(self._calibrate(mean[:, 1])) if mean.shape[1] == 2 else mean

    def attributions(self, matrix: Floats, exact: bool = False) -> Floats:
        """In the prediction's unit, against the training data's means: by occlusion, or exact Shapley values."""
        import numpy as np

        baseline = np.array(self.metadata.settings["baseline"], dtype=np.float64)
        return (shapley if exact else occlusion)(self._margin, matrix, baseline)

    def _margin(self, matrix: Floats) -> Floats:
        if self.metadata.settings.get("task") == "classes":
            best: Floats = self.probabilities(matrix).max(axis=1)
            return best
        return self.predict(matrix)
