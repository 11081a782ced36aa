"""Evenly spread points, the same every time: candidates for parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forecasts.series import Matrix

_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19)


def halton(count: int, dimensions: int) -> Matrix:
    """Halton's sequence [dimension, count] in (0, 1), up to 8 dimensions. Source: Halton (1960)."""
    import numpy as np

    points = np.zeros((dimensions, count))
    for row, base in zip(points, _PRIMES, strict=False):
        rest, weight = np.arange(1, count + 1), 1.0 / base
        while rest.any():
            row += weight * (rest % base)
            rest, weight = rest // base, weight / base
    return points
