"""Rows that tell walkers apart: the values at which a model decides, the floats beside them, and missing ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def vector_rows(edges: Sequence[Floats], count: int, seed: int = 7) -> Floats:
    """`count` rows by inputs; `edges` are each input's deciding values, none meaning that any will do."""
    import numpy as np

    random = np.random.default_rng(seed)
    columns = []
    for found in edges:
        picked = random.choice(found, count) if len(found) else random.normal(size=count)
        single = picked.astype(np.float32)
        above = np.nextafter(single, np.float32(np.inf)).astype(np.float64)
        below = np.nextafter(single, np.float32(-np.inf)).astype(np.float64)
        beside = np.nextafter(picked, random.choice([-np.inf, np.inf], count))
        missing = np.full(count, np.nan)
        columns.append(np.choose(random.integers(0, 5, count), [picked, above, below, beside, missing]))
    return np.stack(columns, axis=1)
