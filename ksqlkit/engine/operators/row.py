"""What a generator knows about the row that flows at one place of the generated code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """Python texts that yield the parts of the current row.

    A row comes in one of two shapes. Spread: `values` holds one text per value column, or is None where the row's value
    is known to be null (a tombstone). Packed: `change` holds the texts of the new and the old row of a table, each a
    tuple of values or None at run time; the old one is the text "None" where nobody asked for it.

    `key` has one text per key column; `key_tuple` yields them as a tuple and, if `key_nullable`, may yield None for a
    record without a key (the columns then yield None).
    """

    key: tuple[str, ...]
    key_tuple: str
    values: tuple[str, ...] | None
    timestamp: str
    headers: str
    key_nullable: bool = False
    window: tuple[str, str] | None = None
    change: tuple[str, str] | None = None
    offset: str = "None"
    topic: str = "None"


def tuple_text(parts: tuple[str, ...] | list[str]) -> str:
    """A tuple display of the parts."""
    return f"({', '.join(parts)},)" if parts else "()"
