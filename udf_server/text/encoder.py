"""Text encoders from ONNX files: tokens by the model's own tokenizer.json, vectors by onnxruntime (the extra `onnx`).

Such as the sentence encoders that their makers export with `model.onnx` and `tokenizer.json`. The answer is taken as it
is where it has one vector a text; where it has one a token, they are averaged, or the first token's is taken.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from udf_server.errors import ModelError
from udf_server.models.onnx import open_session
from udf_server.models.store import Metadata, ModelStore
from udf_server.text.embedding import MAX_CHARACTERS, normalized
from udf_server.text.zeroshot import SHARPNESS, plain_label

if TYPE_CHECKING:
    from udf_server.models.live import LiveModels
    from udf_server.text.embedding import Floats

KIND: Final = "encoder"
POOLINGS: Final = ("mean", "first")
MAX_TOKENS: Final = 256  # of a text, unless the tokenizer itself cuts texts shorter
_BATCH: Final = 32
_INPUTS: Final = ("input_ids", "attention_mask", "token_type_ids")
_KEPT: Final = 256  # sets of labels whose vectors are kept


class EncoderModel:
    """Text in, a vector at unit length out. It has no matrix of features, so PREDICT and EXPLAIN refuse it."""

    def __init__(self, metadata: Metadata, content: bytes) -> None:
        import numpy as np
        from tokenizers import Tokenizer

        self.metadata = metadata
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            self._session = open_session(arrays["model"].tobytes())
            self._tokenizer = Tokenizer.from_buffer(arrays["tokenizer"].tobytes())
        cut = (self._tokenizer.truncation or {}).get("max_length", MAX_TOKENS)
        self._tokenizer.enable_truncation(min(cut, MAX_TOKENS))
        self._tokenizer.no_padding()
        self._first = metadata.settings.get("pooling") == "first"
        self._inputs = [i.name for i in self._session.get_inputs()]
        if unknown := set(self._inputs) - set(_INPUTS):
            raise ModelError(
                f"a text encoder takes {', '.join(_INPUTS)}; this one takes {', '.join(sorted(unknown))}"
            )
        outputs = [
            o for o in self._session.get_outputs() if o.type == "tensor(float)" and len(o.shape) in (2, 3)
        ]
        if not outputs:
            raise ModelError("the encoder has no output of vectors, one a text or one a token")
        # One vector a text is what its maker means to be used.
        self._output = min(outputs, key=lambda o: len(o.shape)).name
        self._labels: dict[tuple[str, ...], Floats] = {}

    def embed(self, texts: Sequence[str]) -> Floats:
        """Texts by dimensions, each row at unit length; a text without tokens is all zeros."""
        import numpy as np

        found = self._tokenizer.encode_batch_fast([t[:MAX_CHARACTERS] for t in texts])
        ids = [np.array(e.ids, dtype=np.int64) for e in found]
        filled = sorted((at for at, row in enumerate(ids) if row.size), key=lambda at: ids[at].size)
        parts = [
            self._vectors([ids[at] for at in filled[s : s + _BATCH]]) for s in range(0, len(filled), _BATCH)
        ]
        width = parts[0].shape[1] if parts else 1
        out = np.zeros((len(texts), width), dtype=np.float32)
        if parts:
            out[filled] = np.concatenate(parts)
        return normalized(out)

    def label_probabilities(self, texts: Sequence[str], labels: tuple[str, ...]) -> Floats:
        """Texts by labels, each row summing to one: how near a text is to each label's words."""
        import numpy as np

        known = self._labels.get(labels)
        if known is None:
            if len(self._labels) >= _KEPT:
                self._labels.clear()
            known = self._labels[labels] = self.embed([plain_label(label) for label in labels])
        scores = SHARPNESS * (self.embed(texts) @ known.T)
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities: Floats = scores / scores.sum(axis=1, keepdims=True)
        return probabilities

    def _vectors(self, ids: list[Any]) -> Floats:
        """Of a batch of texts, of about the same length."""
        import numpy as np

        longest = max(row.size for row in ids)
        tokens = np.zeros((len(ids), longest), dtype=np.int64)
        mask = np.zeros_like(tokens)
        for at, row in enumerate(ids):
            tokens[at, : row.size], mask[at, : row.size] = row, 1
        given = dict(zip(_INPUTS, (tokens, mask, np.zeros_like(tokens)), strict=True))
        (raw,) = self._session.run([self._output], {name: given[name] for name in self._inputs})
        if raw.ndim == 3 and self._first:
            raw = raw[:, 0]
        elif raw.ndim == 3:
            weights = mask[:, :, None].astype(np.float32)
            raw = (raw * weights).sum(axis=1) / weights.sum(axis=1)
        found: Floats = raw.astype(np.float32)
        return found

    def predict(self, matrix: object) -> NoReturn:
        """Raises ModelError: there are no features to predict from."""
        del matrix
        name = self.metadata.name
        raise ModelError(f"model {name!r} is a text encoder: use EMBED('{name}', text)")

    def probabilities(self, matrix: object) -> NoReturn:
        """Raises ModelError, as `predict` does."""
        self.predict(matrix)

    def attributions(self, matrix: object, exact: bool = False) -> NoReturn:
        """Raises ModelError, as `predict` does."""
        del exact
        self.predict(matrix)


def import_encoder(
    model: Path,
    tokenizer: Path,
    store: ModelStore,
    name: str,
    *,
    pooling: str = "mean",
    promote: bool = True,
) -> Metadata:
    """Try an encoder on a text and publish it; raises ModelError for files that do not load or do not fit each
    other."""
    import numpy as np

    if pooling not in POOLINGS:
        raise ModelError(f"there is no pooling {pooling}", hint=f"Known: {', '.join(POOLINGS)}.")
    parts = {}
    for part, path in (("model", model), ("tokenizer", tokenizer)):
        try:
            parts[part] = np.frombuffer(path.read_bytes(), dtype=np.uint8)
        except OSError as error:
            raise ModelError(f"cannot read {path}: {error.strerror}") from error
    out = io.BytesIO()
    np.savez(out, model=parts["model"], tokenizer=parts["tokenizer"])
    draft = Metadata(name, 0, KIND, "model.npz", "", ("text",), settings={"pooling": pooling})
    try:
        size = EncoderModel(draft, out.getvalue()).embed(["a text to try it on"]).shape[1]
    except ModelError:
        raise
    except Exception as error:  # onnxruntime and tokenizers have no common parent of errors
        raise ModelError(f"{model.name} and {tokenizer.name} do not encode a text: {error}") from error
    return store.publish(
        name,
        out.getvalue(),
        kind=KIND,
        file="model.npz",
        features=("text",),
        settings={"pooling": pooling, "dimensions": size},
        training_data={"description": f"imported from {model.name} and {tokenizer.name}"},
        promote=promote,
    )


def encoder_model(models: LiveModels, name: str) -> EncoderModel:
    """The live encoder of that name; raises ModelError when there is none or it is of another kind."""
    found = models.get(name)
    if not isinstance(found, EncoderModel):
        raise ModelError(f"model {name!r} is of kind {found.metadata.kind!r}, not a text encoder")
    return found
