"""Makes the shipped sentiment model from word lists: python -m udf_server.text.sentiment_training VADER
PATTERN OUT.

VADER is `vader_lexicon.txt` of the vaderSentiment wheel (MIT, C.J. Hutto); PATTERN is `en-sentiment.xml` of
the textblob wheel (PDDL, T. De Smedt and W. Daelemans). No sentence of any review corpus is used.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

from udf_server.text.embedding import load_embedding

RIDGE: Final = 30.0  # best of 0.1 to 100 by cross-validation over the words themselves
# Words of grammar and of politeness: they carry no mood of their own, whatever a lexicon or their neighbours in the
# embedding say.
FUNCTION_WORDS: Final = (
    "a about after all also am an and any are as at be because been before being but by can could did do "
    "does doing for from had has have having he her here hers him his how i if in into is it its itself "
    "just me my nor not now of on once only or other our out over own she should since some such than "
    "that the their them then there these they this those though through to too under until up us was we "
    "were what when where whether which while who whom why will with would you your film movie one two "
    "three please hello hi hey dear regards sincerely sir madam"
)
_WORD: Final = re.compile(r"[a-z]+(?:'[a-z]+)?")


def read_vader(path: Path) -> dict[str, float]:
    """Word or emoticon to mean valence, -4..4."""
    lines = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line)
    return {parts[0].lower(): float(parts[1]) for parts in lines}


def read_pattern(path: Path) -> dict[str, float]:
    """Word to polarity, -1..1, averaged over its senses."""
    found = re.findall(r'<word form="([^"]+)"[^>]* polarity="([-.\d]+)"', path.read_text(encoding="utf-8"))
    senses: dict[str, list[float]] = {}
    for word, polarity in found:
        senses.setdefault(word.lower(), []).append(float(polarity))
    return {word: sum(values) / len(values) for word, values in senses.items()}


def merge(vader: dict[str, float], pattern: dict[str, float]) -> dict[str, float]:
    """Both on VADER's scale (least squares on shared words), averaged where both know a word; no function words."""
    shared = [w for w in pattern if w in vader]
    scale = sum(pattern[w] * vader[w] for w in shared) / sum(pattern[w] ** 2 for w in shared)
    out = dict(vader)
    for word, polarity in pattern.items():
        out[word] = (vader[word] + polarity * scale) / 2 if word in vader else polarity * scale
    return {word: valence for word, valence in out.items() if word not in FUNCTION_WORDS.split()}


def train(lexicon: dict[str, float], out: Path) -> None:
    """Fit the direction of valence in the embedding (ridge regression) and write everything as .npz."""
    import numpy as np

    words = sorted(w for w in lexicon if _WORD.fullmatch(w))
    target = np.array([lexicon[w] for w in words])
    vectors = load_embedding().embed(words).astype(np.float64)
    mean, centre = vectors.mean(axis=0), target.mean()
    x = vectors - mean
    direction = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ (target - centre))
    kept = sorted(lexicon)
    np.savez_compressed(
        out,
        words=np.array("\n".join(kept)),
        valence=np.array([lexicon[w] for w in kept], dtype=np.float16),
        direction=direction.astype(np.float32),
        intercept=np.float64(centre - mean @ direction),
        function_words=np.array(FUNCTION_WORDS),
        sources=np.array(
            "VADER (MIT, C.J. Hutto); Pattern en-sentiment 1.3 (PDDL, T. De Smedt, W. Daelemans)"
        ),
    )


def main(vader: str, pattern: str, out: str) -> None:
    """Read the lists and write the model."""
    train(merge(read_vader(Path(vader)), read_pattern(Path(pattern))), Path(out))


if __name__ == "__main__":
    main(*sys.argv[1:])
