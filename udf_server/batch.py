"""The rows of a call, as columns: what every step after decoding works on."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Columns = list[Any]
"""One sequence per argument; or words, a list per argument, and then one matrix whose rows are the rows (see
`Function.matrix`)."""


@dataclass(frozen=True, slots=True)
class Batch:
    """`count` rows in groups of the same number of arguments: their row numbers and their columns. Nearly every call
    is one group. A call of numbers after `words`, decoded for a function that asks for it, is a `matrix` of rows by
    arguments instead (NaN for NULL) and has no groups."""

    count: int
    groups: list[tuple[Sequence[int], Columns]]
    matrix: NDArray[np.float64] | None = None
    words: Columns = field(default_factory=list)

    @classmethod
    def of(cls, rows: Sequence[Sequence[Any]]) -> Batch:
        """From rows of arguments."""
        try:
            columns = [list(c) for c in zip(*rows, strict=True)]
        except ValueError:  # rows of several widths
            by_width: dict[int, list[int]] = {}
            for number, row in enumerate(rows):
                by_width.setdefault(len(row), []).append(number)
            groups = [
                (n, [list(c) for c in zip(*(rows[i] for i in n), strict=True)]) for n in by_width.values()
            ]
            return cls(len(rows), [(numbers, columns) for numbers, columns in groups])
        return cls(len(rows), [(range(len(rows)), columns)] if rows else [])

    @classmethod
    def numbered(cls, rows: Sequence[Sequence[Any]]) -> Batch:
        """From rows that start with their number, counting up from 0; raises ValueError naming the first that does
        not."""
        batch = cls.of(rows)
        for numbers, columns in batch.groups:
            if not columns or columns[0] != list(numbers) or bool in set(map(type, columns[0])):
                for number, row in enumerate(rows):
                    if not row or type(row[0]) is not int or row[0] != number:
                        raise ValueError(f"entry {number} of data must start with {number}")
        return cls(batch.count, [(numbers, columns[1:]) for numbers, columns in batch.groups])

    @classmethod
    def of_numbers(
        cls, rows: Sequence[Sequence[Any]], words: int = 0, *, plain: bool = False
    ) -> Batch | None:
        """From numbered rows of the same width that hold that many texts and then nothing but numbers and None; None
        for any others. With `plain` the caller knows that there is no boolean and no None among them, which saves a
        look at each value."""
        import numpy as np

        width = len(rows[0]) if rows else 0
        if width < 2 + words or (len(rows) > 1 and set(map(len, rows)) != {width}):
            return None
        flat: list[Any] = []
        for row in rows:
            flat += row
        texts: Columns = [flat[1 + at :: width] for at in range(words)]
        for given in texts:
            if set(map(type, given)) != {str}:
                return None
            del flat[1::width]  # the next one moves up
            width -= 1
        kinds = {int, float} if plain else set(map(type, flat))
        try:
            # Text, lists and maps raise, as does an integer past the range of a double.
            if kinds <= {int, float}:
                found = np.frombuffer(struct.pack(f"{len(flat)}d", *flat))
            elif kinds <= {int, float, type(None)}:
                found = np.array(flat, dtype=np.float64)
            else:
                return None
        except (TypeError, OverflowError, struct.error):
            return None
        matrix = found.reshape(len(rows), width)
        if len(rows) == 1:
            counted = rows[0][0] == 0
        else:
            counted = bool((matrix[:, 0] == np.arange(len(rows))).all())
        return cls(len(rows), [], matrix[:, 1:], texts) if counted else None
