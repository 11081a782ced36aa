"""Models in memory, by kind. Their libraries are imported when the first one loads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from udf_server.errors import ModelError
from udf_server.models.boosting import import_xgboost
from udf_server.models.store import Metadata, ModelStore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class LoadedModel(Protocol):
    """A model ready to answer. `matrix` is rows by features in the order of `metadata.features`, NaN for
    missing."""

    metadata: Metadata

    def predict(self, matrix: Floats) -> Floats:
        """One calibrated number per row."""

    def attributions(self, matrix: Floats) -> Floats:
        """Rows by features: what each feature adds to the raw margin."""


def load(store: ModelStore, name: str, version: int) -> LoadedModel:
    """Read, verify and build a model; raises ModelError."""
    metadata, content = store.read(name, version)
    reader = _READERS.get(metadata.kind)
    if reader is None:
        raise ModelError(
            f"model {name!r} is of kind {metadata.kind!r}; known kinds are {', '.join(_READERS)}"
        )
    try:
        return reader(metadata, content)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"model {name!r} version {version} does not load: {error}") from error


def to_matrix(columns: Sequence[Sequence[Any]]) -> Floats:
    """Columns of numbers, None for missing, as rows by columns."""
    import numpy as np

    return np.array(columns, dtype=np.float64).T if columns else np.empty((0, 0))


class Calibration:
    """From raw probability to calibrated one: Platt's line in log-odds, which keeps the order, or nothing."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        if given and given.get("kind") != "platt":
            raise ModelError(f"unknown calibration {given.get('kind')!r}")
        self._line = (float(given["slope"]), float(given["intercept"])) if given else None

    def __call__(self, raw: Floats) -> Floats:
        """Calibrated probability of each raw one."""
        if self._line is None:
            return raw
        import numpy as np

        clipped = np.clip(raw, 1e-7, 1 - 1e-7)
        margin = self._line[0] * np.log(clipped / (1 - clipped)) + self._line[1]
        calibrated: Floats = 1.0 / (1.0 + np.exp(-margin))
        return calibrated


class XGBoostModel:
    """A booster saved by XGBoost itself (UBJSON or JSON), with a calibration of its probabilities."""

    def __init__(self, metadata: Metadata, content: bytes) -> None:
        self._xgboost = import_xgboost()
        self.metadata = metadata
        self._booster = self._xgboost.Booster(model_file=bytearray(content))
        self._booster.set_param({"nthread": 1})
        self._calibrate = Calibration(metadata.calibration)

    def predict(self, matrix: Floats) -> Floats:
        """Calibrated probability of the positive class."""
        raw: Floats = self._booster.inplace_predict(matrix).astype("float64")
        return self._calibrate(raw)

    def attributions(self, matrix: Floats) -> Floats:
        """Approximate Shapley values in log-odds."""
        found: Floats = self._booster.predict(
            self._xgboost.DMatrix(matrix), pred_contribs=True, approx_contribs=True
        )
        return found[:, :-1].astype("float64")


class LinearModel:
    """Weights and intercept from .npz; a logistic link, missing values as the feature's mean."""

    def __init__(self, metadata: Metadata, content: bytes) -> None:
        import io

        import numpy as np

        self.metadata = metadata
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            self._weights: Floats = arrays["weights"].astype(np.float64)
            self._intercept = float(arrays["intercept"])
            self._means: Floats = arrays["means"].astype(np.float64)
        if len(self._weights) != len(metadata.features):
            raise ModelError(f"{len(self._weights)} weights for {len(metadata.features)} features")
        self._calibrate = Calibration(metadata.calibration)

    def predict(self, matrix: Floats) -> Floats:
        """Calibrated probability of the positive class."""
        import numpy as np

        margin = self.attributions(matrix).sum(axis=1) + self._intercept
        return self._calibrate(1.0 / (1.0 + np.exp(-np.clip(margin, -500, 500))))

    def attributions(self, matrix: Floats) -> Floats:
        """Weight times distance from the mean."""
        import numpy as np

        contributions: Floats = np.nan_to_num(matrix - self._means) * self._weights
        return contributions


_READERS: Final[dict[str, Callable[[Metadata, bytes], LoadedModel]]] = {
    "xgboost": XGBoostModel,
    "linear": LinearModel,
}
