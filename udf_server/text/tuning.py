"""Fits `Tuned`: token vectors that start from the embedding and move with the labels, in plain numpy (Adam)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from udf_server.text.embedding import load_embedding
from udf_server.text.members import Texts, Tuned

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from udf_server.text.embedding import Floats

BATCH: Final = 32
TOKEN_DROPOUT: Final = 0.3  # tokens left out of a text at each pass
UNIT_DROPOUT: Final = 0.2  # of the pooled vector
GAIN: Final = 4.0  # of the pooled vector, so that weights need not be large
MAX_TOKENS: Final = 400  # of a text, while training


class _Adam:
    """Adam steps for one array, on all of it or on chosen rows, with a rate that falls to zero."""

    def __init__(self, values: Floats, rate: float) -> None:
        import numpy as np

        self.values, self.rate = values, rate
        self._mean, self._square = np.zeros_like(values), np.zeros_like(values)

    def step(self, gradient: Floats, left: float, number: int, rows: Any = slice(None)) -> None:
        import numpy as np

        self._mean[rows] = 0.9 * self._mean[rows] + 0.1 * gradient
        self._square[rows] = 0.999 * self._square[rows] + 0.001 * gradient**2
        mean = self._mean[rows] / (1 - 0.9**number)
        size = np.sqrt(self._square[rows] / (1 - 0.999**number)) + 1e-6
        self.values[rows] -= np.float32(self.rate * left) * mean / size


@dataclass(frozen=True, slots=True)
class _Batch:
    """Tokens of some texts, flat: `rows` says whose each is, `starts` where each text's begin."""

    tokens: NDArray[np.int64]
    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    labels: NDArray[np.int64]


def fit_tuned(
    given: Texts, labels: NDArray[np.int64], classes: int, *, epochs: int, rate: float, seed: int = 0
) -> Tuned:
    """Train on texts with class numbers. `rate` is of the class weights; vectors move more slowly."""
    import numpy as np

    rng = np.random.default_rng(seed)
    shared = load_embedding().vectors
    used = np.unique(np.fromiter((t for row in given.tokens for t in row), dtype=np.int64))
    texts = [np.searchsorted(used, np.array(row[:MAX_TOKENS], dtype=np.int64)) for row in given.tokens]
    filled = [at for at, row in enumerate(texts) if row.size]
    scale = float(1 / np.sqrt((shared[used] ** 2).sum(axis=1).mean()))
    vectors = (shared[used] * scale).astype(np.float32)
    size = vectors.shape[1]
    steps = (
        _Adam(vectors, 1e-3),
        _Adam(np.zeros(len(used), dtype=np.float32), 5e-3),
        _Adam(np.zeros((size, classes), dtype=np.float32), rate),
        _Adam(np.zeros(classes, dtype=np.float32), rate),
    )
    total, number = epochs * -(-len(filled) // BATCH), 0
    for _ in range(epochs):
        order = rng.permutation(filled)
        for at in range(0, len(order), BATCH):
            number += 1
            batch = _batch(texts, labels, order[at : at + BATCH], rng)
            _learn(batch, steps, 1 - number / total, number, rng)
    found = [step.values for step in steps]
    return Tuned(used, vectors, found[1], GAIN * found[2], found[3], scale)


def _batch(
    texts: list[NDArray[np.int64]],
    labels: NDArray[np.int64],
    chosen: NDArray[np.int64],
    rng: np.random.Generator,
) -> _Batch:
    import numpy as np

    kept = []
    for at in chosen:
        row = texts[at]
        stays = rng.random(row.size) > TOKEN_DROPOUT
        kept.append(row[stays] if stays.any() else row)
    counts = np.array([row.size for row in kept])
    starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
    return _Batch(np.concatenate(kept), np.repeat(np.arange(len(kept)), counts), starts, labels[chosen])


def _learn(
    batch: _Batch, steps: tuple[_Adam, ...], left: float, number: int, rng: np.random.Generator
) -> None:
    """One step down the gradient of the mean log loss."""
    import numpy as np

    vectors, attention, weights, intercept = (step.values for step in steps)
    flat = vectors[batch.tokens]
    power = np.exp(attention[batch.tokens])
    share = power / np.add.reduceat(power, batch.starts)[batch.rows]
    pooled = np.add.reduceat(flat * share[:, None], batch.starts, axis=0) * GAIN
    mask = ((rng.random(pooled.shape) > UNIT_DROPOUT) / (1 - UNIT_DROPOUT)).astype(np.float32)
    dropped = (pooled * mask).astype(np.float32)
    scores = dropped @ weights + intercept
    slope = np.exp(scores - scores.max(axis=1, keepdims=True))
    slope /= slope.sum(axis=1, keepdims=True)
    slope[np.arange(len(batch.labels)), batch.labels] -= 1
    slope /= len(batch.labels)
    back = ((slope @ weights.T) * mask * GAIN)[batch.rows]
    along = (back * flat).sum(axis=1)
    pull = share * (along - np.add.reduceat(along * share, batch.starts)[batch.rows])
    distinct, place = np.unique(batch.tokens, return_inverse=True)
    moved = np.zeros((len(distinct), flat.shape[1]), dtype=np.float32)
    np.add.at(moved, place, (back * share[:, None]).astype(np.float32))
    steps[0].step(moved, left, number, distinct)
    steps[1].step(np.bincount(place, pull, len(distinct)).astype(np.float32), left, number, distinct)
    steps[2].step(dropped.T @ slope, left, number)
    steps[3].step(slope.sum(axis=0), left, number)
