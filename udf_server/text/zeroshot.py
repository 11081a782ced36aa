"""Zero-shot classification: the label whose words lie nearest to the text's, in a static embedding.

Two scores are added. One is the cosine between the means of both; the other lets each token of the text find its
nearest token in the label, and averages those cosines, tokens of long vectors (rare, telling words) counting more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from udf_server.text.embedding import load_embedding, normalized

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from udf_server.text.embedding import Floats

# Scores of short texts differ by hundredths; this spreads them into probabilities.
SHARPNESS: Final = 10.0
_CHUNK: Final = 256  # texts at once, to bound the memory of token-by-label tables
_WORD_BREAK: Final = re.compile(r"[_\-/]+|(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class _Labels:
    """Labels by dimensions; the unit vectors of all their tokens, and where each label's begin."""

    means: Floats
    tokens: Floats
    starts: NDArray[np.int64]


def plain_label(label: str) -> str:
    """A label as words: `card_arrival` and `cardArrival` are read as `card arrival`."""
    return " ".join(_WORD_BREAK.sub(" ", label).lower().split())


def label_probabilities(texts: Sequence[str], labels: tuple[str, ...]) -> Floats:
    """Texts by labels, each row summing to one."""
    import numpy as np

    known = _prepare(labels)
    parts = [_scores(texts[at : at + _CHUNK], known) for at in range(0, len(texts), _CHUNK)]
    scores = SHARPNESS * np.concatenate(parts)
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities: Floats = scores / scores.sum(axis=1, keepdims=True)
    return probabilities


def _scores(texts: Sequence[str], labels: _Labels) -> Floats:
    import numpy as np

    embedding = load_embedding()
    tokens = embedding.tokens(texts)
    scores = embedding.means(tokens) @ labels.means.T
    filled = [row for row, found in enumerate(tokens) if found]
    if not filled:
        return scores
    flat = np.concatenate([np.array(tokens[row]) for row in filled])
    starts = np.cumsum([0] + [len(tokens[row]) for row in filled[:-1]])
    distinct, place = np.unique(flat, return_inverse=True)
    vectors = embedding.vectors[distinct]
    nearest = np.maximum.reduceat(normalized(vectors) @ labels.tokens.T, labels.starts, axis=1)
    weights = np.linalg.norm(vectors, axis=1)
    summed = np.add.reduceat((nearest * weights[:, None])[place], starts, axis=0)
    scores[filled] += summed / np.add.reduceat(weights[place], starts)[:, None]
    return scores


@lru_cache(maxsize=256)
def _prepare(labels: tuple[str, ...]) -> _Labels:
    import numpy as np

    embedding = load_embedding()
    plain = [plain_label(label) for label in labels]
    # A label without a token (an emoji, say) gets the unknown token, so that each label has one.
    tokens = [found or [0] for found in embedding.tokens(plain)]
    starts = np.cumsum([0] + [len(found) for found in tokens[:-1]])
    return _Labels(embedding.embed(plain), normalized(embedding.vectors[np.concatenate(tokens)]), starts)
