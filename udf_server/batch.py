"""The rows of a call, as columns: what every step after decoding works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Columns = list[list[Any]]


@dataclass(frozen=True, slots=True)
class Batch:
    """`count` rows in groups of the same number of arguments: their row numbers and their columns. Nearly every call
    is one group."""

    count: int
    groups: list[tuple[Sequence[int], Columns]]

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
