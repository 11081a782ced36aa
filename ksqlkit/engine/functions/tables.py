"""EXPLODE and CUBE_EXPLODE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.functions.contract import ArgType
from ksqlkit.engine.functions.define import Family
from ksqlkit.errors import DataError

tables = Family("TABLE")

_MOST_COLUMNS: Final = 20


def _item(args: Sequence[ArgType]) -> T.SqlType:
    assert isinstance(args[0], T.Array)
    return args[0].item


@tables.table("EXPLODE(ARRAY<DECIMAL> input) -> DECIMAL", "EXPLODE(ARRAY<T> list) -> T", returns=_item)
def explode(values: Sequence[Any] | None) -> Sequence[Any]:
    """One row for each element of an array."""
    return values or ()


@tables.table("CUBE_EXPLODE(ARRAY<T> columns) -> ARRAY<T>")
def cube_explode(values: Sequence[Any] | None) -> list[list[Any]]:
    """All combinations of the elements with NULL in their place, one array a row; a NULL element stays NULL."""
    if values is None:
        return []
    if len(values) > _MOST_COLUMNS:
        raise DataError(f"cube_explode: too many columns ({len(values)}); max is {_MOST_COLUMNS}")
    rows: list[list[Any]] = [[]]
    for value in values:
        rows = [[*row, choice] for row in rows for choice in ((None,) if value is None else (None, value))]
    return rows
