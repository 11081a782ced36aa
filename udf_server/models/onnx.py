"""ONNX models, by onnxruntime where it is installed (the extra `onnx`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from udf_server.errors import ModelError
from udf_server.models.explain import occlusion, shapley
from udf_server.models.loaded import of_two
from udf_server.models.store import Metadata

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def open_session(content: bytes) -> Any:
    """An inference session on one thread; raises ModelError where onnxruntime is missing or refuses the model."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError("ONNX models need onnxruntime: install ksqlkit[onnx]") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a dozen kinds, of no common parent
        raise ModelError(f"onnxruntime refuses the model: {error}") from error


class OnnxModel:
    """A model of one input, rows by features (float or double), whose last float output is the answer: one number a
    row, or a number a class."""

    def __init__(self, metadata: Metadata, content: bytes) -> None:
        self.metadata = metadata
        self._session = open_session(content)
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in ("tensor(float)", "tensor(double)"):
            shown = ", ".join(f"{i.name} {i.type}" for i in inputs)
            raise ModelError(f"an ONNX model takes one matrix of float or double; this one takes {shown}")
        self._input = inputs[0].name
        self._type = "float32" if inputs[0].type == "tensor(float)" else "float64"
        outputs = [
            o.name for o in self._session.get_outputs() if o.type in ("tensor(float)", "tensor(double)")
        ]
        if not outputs:
            raise ModelError(
                "the ONNX model has no output of numbers; export it without a ZipMap",
                hint="With skl2onnx: to_onnx(model, X[:1], options={'zipmap': False}).",
            )
        self._output = outputs[-1]

    def predict(self, matrix: Floats) -> Floats:
        """As the protocol has it."""
        if self.metadata.settings.get("task") == "regression":
            return self.outputs(matrix)[:, 0]
        chances = self.probabilities(matrix)
        return chances[:, 1] if chances.shape[1] == 2 else chances.argmax(axis=1).astype("float64")

    def probabilities(self, matrix: Floats) -> Floats:
        """Rows by classes."""
        import numpy as np

        settings = self.metadata.settings
        if settings.get("task") == "regression":
            raise ModelError(f"model {self.metadata.name} predicts a value, not classes")
        raw = self.outputs(matrix)
        if settings.get("link") == "softmax":
            raw = np.exp(raw - raw.max(axis=1, keepdims=True))
            raw /= raw.sum(axis=1, keepdims=True)
        elif settings.get("link") == "logistic":
            raw = 1.0 / (1.0 + np.exp(-np.clip(raw, -500, 500)))
        chances: Floats = np.clip(raw, 0.0, 1.0)  # sums of floats go past 1 in the last bits
        return of_two(chances[:, 0]) if chances.shape[1] == 1 else chances

    def attributions(self, matrix: Floats, exact: bool = False) -> Floats:
        """Against the baseline (zeros where the model came without one): by occlusion, or exact Shapley values."""
        import numpy as np

        given = self.metadata.settings.get("baseline") or [0.0] * len(self.metadata.features)
        return (shapley if exact else occlusion)(self._margin, matrix, np.array(given, dtype=np.float64))

    def _margin(self, matrix: Floats) -> Floats:
        if self.metadata.settings.get("task") == "regression":
            return self.outputs(matrix)[:, 0]
        chances = self.probabilities(matrix)
        best: Floats = chances[:, 1] if chances.shape[1] == 2 else chances.max(axis=1)
        return best

    def outputs(self, matrix: Floats) -> Floats:
        """What the model itself says: rows by outputs."""
        (raw,) = self._session.run([self._output], {self._input: matrix.astype(self._type)})
        found: Floats = raw.astype("float64")
        return found.reshape(len(matrix), -1)
