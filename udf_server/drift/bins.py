"""Fixed bins at the quantiles of a reference, and how far counts in them are from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson

from udf_server.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BINS: Final = 10
SCORE: Final = "score"
_SMOOTH: Final = 0.5  # rows added to each bin, so that an empty one says little instead of infinitely much
_LOSSES: Final = 2000  # losses kept


class Binning:
    """Bins of one quantity: values at or below the first edge, between two, above the last, and missing ones."""

    def __init__(self, edges: Floats, counts: Floats) -> None:
        self.edges, self.counts = edges, counts

    @classmethod
    def fit(cls, values: Floats, bins: int = BINS) -> Binning:
        """Edges at the quantiles of the values that are there; equal quantiles are one edge."""
        import numpy as np

        there = values[~np.isnan(values)]
        inner = np.linspace(0.0, 1.0, bins + 1)[1:-1]
        edges = np.unique(np.quantile(there, inner, method="lower")) if there.size else np.empty(0)
        made = cls(edges, np.zeros(len(edges) + 2))
        made.counts = made.count(values)
        return made

    def count(self, values: Floats) -> Floats:
        """How many of the values fall in each bin, the missing ones last."""
        import numpy as np

        at = np.searchsorted(self.edges, values, side="left")
        at[np.isnan(values)] = len(self.edges) + 1
        counted: Floats = np.bincount(at, minlength=len(self.edges) + 2).astype(np.float64)
        return counted


def shares(counts: Floats) -> Floats:
    """Counts as shares, none of them zero."""
    smoothed = counts + _SMOOTH
    part: Floats = smoothed / smoothed.sum(axis=-1, keepdims=True)
    return part


def psi(reference: Floats, seen: Floats) -> Floats:
    """Population stability index of counts against the reference's: 0 is equal, by custom 0.1 small and 0.25 large."""
    import numpy as np

    p, q = shares(reference), shares(seen)
    index: Floats = ((q - p) * np.log(q / p)).sum(axis=-1)
    return index


def jensen_shannon(reference: Floats, seen: Floats) -> Floats:
    """Jensen-Shannon distance (base 2) of counts from the reference's: 0 is equal, 1 nothing in common."""
    import numpy as np

    p, q = shares(reference), shares(seen)
    middle = (p + q) / 2
    divergence = (p * np.log2(p / middle) + q * np.log2(q / middle)).sum(axis=-1) / 2
    distance: Floats = np.sqrt(np.maximum(divergence, 0.0))
    return distance


def loss_of(scores: Floats, labels: Floats) -> Floats:
    """What each score loses by its label: the squared error, which for probabilities is Brier's."""
    lost: Floats = (scores - labels) ** 2
    return lost


class Reference:
    """How a model's features and scores were distributed on rows it had not learned, one binning each, and what it lost
    on them (see `loss_of`)."""

    def __init__(self, binnings: dict[str, Binning], losses: Floats | None = None) -> None:
        import numpy as np

        self.binnings = binnings
        self.losses: Floats = np.empty(0) if losses is None else losses

    @property
    def names(self) -> list[str]:
        """The features, then `score`."""
        return list(self.binnings)

    @classmethod
    def fit(
        cls,
        features: Sequence[str],
        matrix: Floats,
        scores: Floats,
        labels: Floats | None = None,
        bins: int = BINS,
    ) -> Reference:
        """From rows by features and their scores and labels, such as those held out in training."""
        columns = {name: matrix[:, at] for at, name in enumerate(features)} | {SCORE: scores}
        losses = None if labels is None else loss_of(scores, labels)[-_LOSSES:]
        return cls({name: Binning.fit(values, bins) for name, values in columns.items()}, losses)

    def to_bytes(self) -> bytes:
        """As `reference.json` holds it."""
        plain = {n: {"edges": b.edges, "counts": b.counts} for n, b in self.binnings.items()}
        document = {"bins": plain, "losses": self.losses}
        return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)

    @classmethod
    def of_bytes(cls, content: bytes) -> Reference:
        """Read `reference.json`; raises ModelError."""
        import numpy as np

        try:
            raw: dict[str, Any] = orjson.loads(content)
            binnings = {
                n: Binning(np.array(b["edges"], np.float64), np.array(b["counts"], np.float64))
                for n, b in raw["bins"].items()
            }
            losses = np.array(raw["losses"], np.float64)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"the reference distributions are malformed: {error}") from error
        if any(len(b.counts) != len(b.edges) + 2 for b in binnings.values()):
            raise ModelError("the reference distributions are malformed: bins and edges do not fit")
        return cls(binnings, losses)


def threshold(counts: Floats, window: int, rate: float, draws: int = 4000, seed: int = 7) -> float:
    """The PSI that a window of that many rows drawn from the reference itself exceeds with probability `rate`.

    By bootstrap: the reference is drawn anew as well, as its own counts are a sample too. Beyond what the draws
    resolve, the tail is continued by the gamma distribution of their mean and variance (PSI is near a scaled
    chi-square)."""
    import numpy as np

    chance = np.random.default_rng(seed)
    p = counts / counts.sum()
    base = int(counts.sum())
    references = chance.multinomial(base, p, draws).astype(np.float64)
    windows = chance.multinomial(window, p, draws).astype(np.float64)
    drawn = psi(references, windows)
    if rate * draws >= 20:
        return float(np.quantile(drawn, 1.0 - rate))
    from scipy.stats import gamma

    mean, variance = float(drawn.mean()), float(drawn.var())
    if variance == 0.0:
        return mean
    return float(gamma.ppf(1.0 - rate, mean**2 / variance, scale=variance / mean))
