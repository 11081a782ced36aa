"""Features made of two others, inside the model, so that SQL gives the measured ones only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from udf_server.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_FORMULA: Final = re.compile(r"\s*(\w+)\s*([-*/])\s*(\w+)\s*")


def parse_formula(text: str, features: Sequence[str]) -> tuple[str, str, str]:
    """`A*B`, `A-B` or `A/B` as (operator, A, B); raises ValueError for another form or unknown features."""
    match = _FORMULA.fullmatch(text.upper())
    if match is None:
        raise ValueError(f"{text!r} is not of the form A*B, A-B or A/B")
    left, operator, right = match.groups()
    if unknown := {left, right} - set(features):
        raise ValueError(f"{text!r} names {', '.join(sorted(unknown))}, not among the features")
    return operator, left, right


class Derived:
    """Appends columns to rows-by-features matrices; `formulas` are (operator, left, right)."""

    def __init__(self, features: Sequence[str], formulas: Sequence[Sequence[str]]) -> None:
        place = {name: number for number, name in enumerate(features)}
        try:
            self._parts = [(operator, place[left], place[right]) for operator, left, right in formulas]
        except (KeyError, ValueError) as error:
            raise ModelError(f"its derived features make no sense: {error}") from error
        self._inputs = len(features)

    @property
    def width(self) -> int:
        """Columns after appending."""
        return self._inputs + len(self._parts)

    def __call__(self, matrix: Floats) -> Floats:
        """The matrix with the derived columns at its right; what divides by zero is missing."""
        if not self._parts:
            return matrix
        import numpy as np

        columns = [matrix]
        for operator, left, right in self._parts:
            a, b = matrix[:, left], matrix[:, right]
            with np.errstate(over="ignore", invalid="ignore"):  # infinite, or missing, as it comes out
                if operator == "/":
                    made = np.divide(a, b, out=np.full(len(a), np.nan), where=b != 0)
                else:
                    made = a * b if operator == "*" else a - b
            columns.append(made[:, None])
        return np.hstack(columns)

    def fold(self, contributions: Floats) -> Floats:
        """Contributions of all columns as those of the inputs: a derived one's go to its two in halves."""
        out = contributions[:, : self._inputs].copy()
        for number, (_, left, right) in enumerate(self._parts, self._inputs):
            out[:, left] += contributions[:, number] / 2
            out[:, right] += contributions[:, number] / 2
        return out
