"""Contributions of features for models that have no faster way of their own."""

from __future__ import annotations

from collections.abc import Callable
from math import factorial
from typing import TYPE_CHECKING, Final

from udf_server.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MOST_EXACT: Final = 12  # features: 4,096 predictions a row


def occlusion(predict: Callable[[Floats], Floats], matrix: Floats, baseline: Floats) -> Floats:
    """How much the prediction falls when one feature at a time takes its baseline; rows by features."""
    import numpy as np

    whole = predict(matrix)
    out = np.empty_like(matrix)
    for column in range(matrix.shape[1]):
        without = matrix.copy()
        without[:, column] = baseline[column]
        out[:, column] = whole - predict(without)
    return out


def shapley(predict: Callable[[Floats], Floats], matrix: Floats, baseline: Floats) -> Floats:
    """Shapley values against the baseline, by all subsets (Shapley 1953); they add up to the prediction less the
    baseline's. Raises ModelError past 12 features."""
    import numpy as np

    rows, count = matrix.shape
    if count > MOST_EXACT:
        raise ModelError(f"exact contributions take at most {MOST_EXACT} features, not {count}")
    present = (np.arange(1 << count)[:, None] >> np.arange(count)) & 1 == 1
    sizes = present.sum(axis=1)
    weight = np.array([factorial(s) * factorial(count - s - 1) / factorial(count) for s in range(count)])
    out = np.empty_like(matrix)
    for row in range(rows):
        value = predict(np.where(present, matrix[row], baseline))
        for feature in range(count):
            without = np.flatnonzero(~present[:, feature])
            gained = value[without | (1 << feature)] - value[without]
            out[row, feature] = (weight[sizes[without]] * gained).sum()
    return out
