"""Static word embeddings: WordLlama's 256 dimensions, read from its wheel's own files without its loader."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

MAX_CHARACTERS: Final = 20_000  # of a text; what is past it is not read


class Embedding:
    """A tokenizer and a vector for each of its tokens. `vectors` is tokens by dimensions."""

    def __init__(self, vectors: Floats, tokenizer: Any) -> None:
        self.vectors = vectors
        self._tokenizer = tokenizer

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Token numbers of each text."""
        shortened = [t[:MAX_CHARACTERS] for t in texts]
        return [e.ids for e in self._tokenizer.encode_batch_fast(shortened, add_special_tokens=False)]

    def embed(self, texts: Sequence[str]) -> Floats:
        """Mean of the token vectors, at unit length; texts by dimensions. A text without tokens is all
        zeros."""
        return self.means(self.tokens(texts))

    def means(self, ids: list[list[int]]) -> Floats:
        """As `embed`, of texts already cut into tokens."""
        import numpy as np

        counts = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
        flat = np.fromiter((i for row in ids for i in row), dtype=np.int64, count=int(counts.sum()))
        out = np.zeros((len(ids), self.vectors.shape[1]), dtype=np.float32)
        filled = np.flatnonzero(counts)
        if filled.size:
            starts = np.concatenate(([0], np.cumsum(counts[filled])[:-1]))
            out[filled] = np.add.reduceat(self.vectors[flat], starts, axis=0)
        return normalized(out)


def normalized(rows: Floats) -> Floats:
    """Each row at unit length; zero rows stay zero."""
    import numpy as np

    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats = rows / np.maximum(lengths, np.float32(1e-12))
    return unit


@cache
def load_embedding() -> Embedding:
    """The embedding, read once; about 40 MB in memory."""
    import numpy as np
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    spec = importlib.util.find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise RuntimeError("text functions need the wordllama package: pip install wordllama")
    root = Path(spec.origin).parent
    weights = load_file(str(root / "weights" / "l2_supercat_256.safetensors"))
    tokenizer = Tokenizer.from_file(str(root / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return Embedding(next(iter(weights.values())).astype(np.float32), tokenizer)
