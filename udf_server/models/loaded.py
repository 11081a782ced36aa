"""Models in memory, by kind. Their libraries are imported when the first one loads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from ksqlkit.imports import import_xgboost
from udf_server.errors import ModelError
from udf_server.models.boosting import Predictor
from udf_server.models.derive import Derived
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
        """One number per row: the calibrated probability of the second of two classes, the number of the likeliest
        of several, or the value."""

    def probabilities(self, matrix: Floats) -> Floats:
        """Rows by classes; raises ModelError for a model of values."""

    def attributions(self, matrix: Floats, exact: bool = False) -> Floats:
        """Rows by features: what each feature adds, in the model's own unit (log-odds for boosted classifiers)."""


def load(store: ModelStore, name: str, version: int) -> LoadedModel:
    """Read, verify and build a model; raises ModelError."""
    return load_bytes(*store.read(name, version))


def load_bytes(metadata: Metadata, content: bytes) -> LoadedModel:
    """Build a model of its bytes; raises ModelError."""
    name, version = metadata.name, metadata.version
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
        calibrated: Floats = 1.0 / (1.0 + np.exp(-np.clip(margin, -500, 500)))
        return calibrated


class XGBoostModel:
    """A booster saved by XGBoost itself (UBJSON or JSON), with a calibration of its probabilities."""

    def __init__(self, metadata: Metadata, content: bytes) -> None:
        self._xgboost = import_xgboost()
        self.metadata = metadata
        self._booster = self._xgboost.Booster(model_file=bytearray(content))
        self._booster.set_param({"nthread": 1})
        self._booster.feature_names = None  # rows come as plain matrices
        self._calibrate = Calibration(metadata.calibration)
        self._raw = Predictor(self._booster)
        self._derived = Derived(metadata.features, metadata.settings.get("derived", ()))
        if self._booster.num_features() != self._derived.width:
            raise ModelError(f"it takes {self._booster.num_features()} features, not {self._derived.width}")

    def predict(self, matrix: Floats) -> Floats:
        """As the protocol has it."""
        raw: Floats = self._raw(self._derived(matrix)).astype("float64")
        likeliest: Floats = raw.argmax(axis=1).astype("float64") if raw.ndim == 2 else self._calibrate(raw)
        return likeliest

    def probabilities(self, matrix: Floats) -> Floats:
        """Rows by classes."""
        _refuse_values(self.metadata)
        raw: Floats = self._raw(self._derived(matrix)).astype("float64")
        return raw if raw.ndim == 2 else of_two(self._calibrate(raw))

    def attributions(self, matrix: Floats, exact: bool = False) -> Floats:
        """Shapley values of the raw margin, approximate or exact; of several classes, those of the likeliest."""
        import numpy as np

        # A DMatrix refuses what float32 has no number for; predict takes it as past every split.
        widest = np.finfo(np.float32).max
        data = self._xgboost.DMatrix(np.clip(self._derived(matrix), -widest, widest))
        found = self._booster.predict(data, pred_contribs=True, approx_contribs=not exact)
        if found.ndim == 3:
            found = found[np.arange(len(found)), found.sum(axis=2).argmax(axis=1)]
        contributions: Floats = found[:, :-1].astype("float64")
        return self._derived.fold(contributions)


class LinearModel:
    """Weights and intercept from .npz, missing values as the feature's mean; a logistic link unless the task is
    regression."""

    def __init__(self, metadata: Metadata, content: bytes) -> None:
        import io

        import numpy as np

        self.metadata = metadata
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            self.weights: Floats = arrays["weights"].astype(np.float64)
            self.intercept = float(arrays["intercept"])
            self.means: Floats = arrays["means"].astype(np.float64)
        if not len(self.weights) == len(self.means) == len(metadata.features):
            raise ModelError(f"{len(self.weights)} weights for {len(metadata.features)} features")
        self._calibrate = Calibration(metadata.calibration)

    def margins(self, matrix: Floats) -> Floats:
        """The sum of each row, added in the features' order, so that no row's last bit depends on its batch."""
        import numpy as np

        total = np.zeros(len(matrix))
        for column in self.attributions(matrix).T:
            total += column
        return total + self.intercept

    def predict(self, matrix: Floats) -> Floats:
        """As the protocol has it."""
        import numpy as np

        margin = self.margins(matrix)
        if self.metadata.settings.get("task") == "regression":
            return margin
        return self._calibrate(1.0 / (1.0 + np.exp(-np.clip(margin, -500, 500))))

    def probabilities(self, matrix: Floats) -> Floats:
        """Rows by two classes."""
        _refuse_values(self.metadata)
        return of_two(self.predict(matrix))

    def attributions(self, matrix: Floats, exact: bool = False) -> Floats:  # noqa: ARG002
        """Weight times distance from the mean: exact, for a sum."""
        import numpy as np

        contributions: Floats = np.nan_to_num(matrix - self.means) * self.weights
        return contributions


def of_two(second: Floats) -> Floats:
    """Probabilities of both classes from those of the second."""
    import numpy as np

    return np.column_stack((1.0 - second, second))


def _refuse_values(metadata: Metadata) -> None:
    if metadata.settings.get("task") == "regression":
        raise ModelError(f"model {metadata.name} predicts a value, not classes")


def _forest(metadata: Metadata, content: bytes) -> LoadedModel:
    from udf_server.models.forest import ForestModel

    return ForestModel(metadata, content)


def _onnx(metadata: Metadata, content: bytes) -> LoadedModel:
    from udf_server.models.onnx import OnnxModel

    return OnnxModel(metadata, content)


def _blend(metadata: Metadata, content: bytes) -> LoadedModel:
    from udf_server.models.blend import BlendModel

    return BlendModel(metadata, content)


def _life(metadata: Metadata, content: bytes) -> LoadedModel:
    from udf_server.maintenance.model import LifeModel

    return LifeModel(metadata, content)


def _factors(metadata: Metadata, content: bytes) -> LoadedModel:
    from udf_server.recommend.factors import FactorModel

    return FactorModel(metadata, content)


def _profile(metadata: Metadata, content: bytes) -> LoadedModel:
    from udf_server.validate.profile import ProfileModel

    return ProfileModel(metadata, content)


def _text(metadata: Metadata, content: bytes) -> LoadedModel:
    from udf_server.text.model import TextModel

    return TextModel(metadata, content)


def _encoder(metadata: Metadata, content: bytes) -> LoadedModel:
    from udf_server.text.encoder import EncoderModel

    return EncoderModel(metadata, content)


_READERS: Final[dict[str, Callable[[Metadata, bytes], LoadedModel]]] = {
    "xgboost": XGBoostModel,
    "linear": LinearModel,
    "forest": _forest,
    "blend": _blend,
    "onnx": _onnx,
    "life": _life,
    "factors": _factors,
    "profile": _profile,
    "text": _text,
    "encoder": _encoder,
}
