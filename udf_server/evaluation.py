"""How good scores are, from labels. All take 0/1 labels and scores, higher meaning more likely 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve: the share of pairs ranked right, ties counting half. NaN with one class
    only."""
    import numpy as np

    y, s = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=np.float64)
    positives = int(y.sum())
    negatives = y.size - positives
    if not positives or not negatives:
        return float("nan")
    _, inverse, counts = np.unique(s, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2.0  # the mean rank of each distinct score
    total = float(ranks[inverse][y].sum())
    return (total - positives * (positives + 1) / 2.0) / (positives * negatives)


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Precision averaged over the steps of recall, equal scores taken together. NaN without a positive."""
    import numpy as np

    y, s = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if not y.any():
        return float("nan")
    order = np.argsort(-s, kind="stable")
    hits = np.cumsum(y[order])
    last = np.append(np.flatnonzero(np.diff(s[order])), y.size - 1)
    precision = hits[last] / (last + 1)
    gained = np.diff(hits[last], prepend=0.0)
    return float((precision * gained).sum() / hits[-1])


def precision_at(labels: ArrayLike, scores: ArrayLike, k: int = 100) -> float:
    """The share of ones among the k highest scores (all, when there are fewer); ties by order."""
    import numpy as np

    y, s = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    top = np.argsort(-s, kind="stable")[:k]
    return float(y[top].mean()) if top.size else float("nan")


def brier(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean squared error of the probabilities: 0 is perfect."""
    import numpy as np

    return float(np.mean((np.asarray(labels, dtype=np.float64) - np.asarray(probabilities)) ** 2))


def f1_scores(labels: ArrayLike, predicted: ArrayLike) -> dict[str, float]:
    """`accuracy`, and F1 over the classes that occur: `macro_f1` their mean, `weighted_f1` weighted by how many labels
    each has. Both are class numbers from 0."""
    import numpy as np

    y, p = np.asarray(labels, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    size = int(max(y.max(initial=0), p.max(initial=0))) + 1
    right = np.bincount(y[y == p], minlength=size)
    true, said = np.bincount(y, minlength=size), np.bincount(p, minlength=size)
    f1 = 2 * right / np.maximum(true + said, 1)
    occurs = (true + said) > 0
    return {
        "accuracy": float((y == p).mean()),
        "macro_f1": float(f1[occurs].mean()),
        "weighted_f1": float((f1 * true).sum() / true.sum()),
    }
