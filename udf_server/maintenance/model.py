"""Models of remaining life: boosted trees over the directions in which wear moves the sensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from udf_server.errors import ModelError
from udf_server.maintenance.rolling import KINDS, WINDOWS, feature_names
from udf_server.models.loaded import XGBoostModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from udf_server.models.store import Metadata

    Floats = NDArray[np.float64]

_WINDOW: Final = WINDOWS[1]
_CLEAR: Final = 3.0  # times the variance that noise alone gives a mean over the window
_LEVEL: Final = KINDS.index(f"MEAN_{_WINDOW}")
_MOVED: Final = KINDS.index("SINCE_START")


def wear_directions(series: Sequence[Any], sensors: Floats, features: Floats, left: Floats) -> Floats:
    """Directions by sensors: weights of the sums of sensors that move with wear and not with noise.

    Sensors of one machine tell of a few kinds of wear, each with noise of its own. In units of that noise, principal
    components of the smoothed sensors part the wear from the noise; those no clearer than noise are left out, the first
    of the others is turned to where it tells the rows `left` best (trees split along axes). Where none is clear, every
    sensor is its own direction. `features` are those of the rows, by `features_of_runs`. Noise is what changes from one
    row of a run to its next, as wear does not.
    """
    import numpy as np

    width = sensors.shape[1]
    level = features[:, 1 + _LEVEL * width : 1 + (_LEVEL + 1) * width]
    place = {name: at for at, name in enumerate(dict.fromkeys(series))}
    runs = np.array([place[name] for name in series])
    order = np.argsort(runs, kind="stable")
    steps = np.diff(sensors[order], axis=0)[np.diff(runs[order]) == 0]
    if len(steps) < _WINDOW:
        return np.eye(width)
    spread = level.std(axis=0)
    noise = np.maximum(steps.std(axis=0) / 2**0.5, spread / 1000)
    constant = spread <= 1e-9 * np.abs(level).max(axis=0)
    per_noise = np.where(constant, 0.0, 1.0 / np.where(constant, 1.0, noise))
    found, vectors = np.linalg.eigh(np.cov((level * per_noise).T).reshape(width, width))
    clear = vectors[:, ::-1][:, (found > _CLEAR / _WINDOW)[::-1]] * per_noise[:, None]
    if not clear.shape[1]:
        return np.eye(width)
    moved = level @ clear
    telling = np.linalg.lstsq(moved - moved.mean(axis=0), left - left.mean(), rcond=None)[0]
    turned = np.linalg.qr(np.column_stack((telling, np.eye(len(telling)))))[0]
    chosen: Floats = (clear @ turned).T
    return chosen


def along(directions: Floats, features: Floats) -> Floats:
    """Features of sensors as those of directions. Added in the sensors' order, so that no row's last bit depends on
    its batch."""
    import numpy as np

    count, width = directions.shape
    blocks = features[:, 1:].reshape(len(features), len(KINDS), width)
    out = np.zeros((len(features), len(KINDS), count))
    for at in range(width):
        out += blocks[:, :, at, None] * directions[:, at]
    return np.hstack((features[:, :1], out.reshape(len(features), -1)))


class LifeModel:
    """A booster of features along directions; it takes and explains those of the sensors."""

    def __init__(self, metadata: Metadata, content: bytes) -> None:
        import numpy as np

        self.metadata = metadata
        self._directions = np.array(metadata.settings["directions"], dtype=np.float64)
        sensors = metadata.settings["sensors"]
        fits = self._directions.ndim == 2 and self._directions.shape[1] == len(sensors)
        if not fits or tuple(metadata.features) != feature_names(sensors):
            raise ModelError("its directions and features do not fit its sensors")
        names = feature_names([f"DIRECTION_{at}" for at in range(1, len(self._directions) + 1)])
        self._booster = XGBoostModel(replace(metadata, kind="xgboost", features=names), content)

    def predict(self, matrix: Floats) -> Floats:
        """As the protocol has it."""
        return self._booster.predict(along(self._directions, matrix))

    def probabilities(self, matrix: Floats) -> Floats:
        """As the protocol has it: there are none."""
        return self._booster.probabilities(along(self._directions, matrix))

    def attributions(self, matrix: Floats, exact: bool = False) -> Floats:
        """Shapley values of the features along directions, shared among sensors by how far each has moved along since
        the machine was new."""
        import numpy as np

        found = self._booster.attributions(along(self._directions, matrix), exact)
        count, width = self._directions.shape
        moved = matrix[:, 1:].reshape(len(matrix), len(KINDS), width)[:, _MOVED]
        share: Any = np.abs(np.nan_to_num(moved)[:, None, :] * self._directions)
        total = share.sum(axis=2, keepdims=True)
        plain = np.abs(self._directions) / np.maximum(
            np.abs(self._directions).sum(axis=1, keepdims=True), 1e-300
        )
        share = np.where(total > 0, share / np.where(total > 0, total, 1.0), plain)
        parts = found[:, 1:].reshape(len(matrix), len(KINDS), count) @ share
        return np.hstack((found[:, :1], parts.reshape(len(matrix), -1)))
