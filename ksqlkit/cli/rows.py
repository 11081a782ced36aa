"""Rows of a running query, each shown as it comes, in columns that stand below each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len

from ksqlkit.cli.output import cell, print_line

WIDEST = 60  # a column grows with its values up to here; a longer value pushes the rest of its row aside


class RowPrinter:
    """Prints a heading, then rows; a column is as wide as the widest value so far (wide characters count two)."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._widths = [cell_len(name) for name in columns]
        print_line(self._line(columns), bold=True)

    def print(self, row: Sequence[Any]) -> None:
        """Print one row."""
        print_line(self._line([cell(value, exact=True) for value in row]))

    def _line(self, cells: Sequence[str]) -> str:
        self._widths = [
            max(width, min(cell_len(text), WIDEST)) for width, text in zip(self._widths, cells, strict=True)
        ]
        padded = (
            text + " " * (width - cell_len(text)) for width, text in zip(self._widths, cells, strict=True)
        )
        return " | ".join(padded).rstrip()
