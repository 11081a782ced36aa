"""Zero-shot classification: the label whose words lie nearest to the text's, in a static embedding."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from udf_server.text.embedding import load_embedding, normalized

if TYPE_CHECKING:
    from udf_server.text.embedding import Floats

# Cosines of short texts differ by hundredths; this spreads them into probabilities.
SHARPNESS: Final = 12.0
_WORD_BREAK: Final = re.compile(r"[_\-/]+|(?<=[a-z])(?=[A-Z])")


def plain_label(label: str) -> str:
    """A label as words: `card_arrival` and `cardArrival` are read as `card arrival`."""
    return " ".join(_WORD_BREAK.sub(" ", label).lower().split())


def label_probabilities(texts: Sequence[str], labels: tuple[str, ...]) -> Floats:
    """Texts by labels, each row summing to one."""
    import numpy as np

    scores = SHARPNESS * (load_embedding().embed(texts) @ _label_vectors(labels).T)
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities: Floats = scores / scores.sum(axis=1, keepdims=True)
    return probabilities


@lru_cache(maxsize=256)
def _label_vectors(labels: tuple[str, ...]) -> Floats:
    return normalized(load_embedding().embed([plain_label(label) for label in labels]))
