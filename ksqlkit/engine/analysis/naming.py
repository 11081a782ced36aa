"""Names that ksqlDB generates: KSQL_COL_n for unnamed expressions, FIELD_n for `->` chains, ROWKEY for join keys."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.schema import Schema

_COL = "KSQL_COL"
SYNTHETIC_KEY = "ROWKEY"


def _split(name: str) -> tuple[str, int]:
    """("A", 3) for A_3, ("A", 0) for A."""
    found = re.fullmatch(r"(.*?)(?:_(\d+))?", name, re.DOTALL)
    assert found is not None
    return found[1], int(found[2] or 0)


class Namer:
    """Hands out column names that do not clash with the columns of the schemas it starts from, nor with each other."""

    def __init__(self, schemas: Iterable[Schema]) -> None:
        self._used: dict[str, set[int]] = {}
        self._next: dict[str, int] = {}
        for schema in schemas:
            for column in schema.columns:
                prefix, number = _split(column.name)
                self._used.setdefault(prefix, set()).add(number)

    def _take(self, prefix: str, *, keep_zero: bool) -> str:
        number = self._next.get(prefix, 0)
        while number in self._used.get(prefix, ()):
            number += 1
        self._next[prefix] = number + 1
        return prefix if number == 0 and not keep_zero else f"{prefix}_{number}"

    def name(self, expr: N.Expression) -> str:
        """For an expression without an alias: `a->b` is named after the field, all else KSQL_COL_n."""
        if isinstance(expr, N.Dereference):
            return self._take(_split(expr.field)[0], keep_zero=False)
        return self._take(_COL, keep_zero=True)

    def join_key(self) -> str:
        """For the key of a join that equals no source column: ROWKEY, or ROWKEY_n."""
        return self._take(SYNTHETIC_KEY, keep_zero=False)


def joined(alias: str, column: str) -> str:
    """The name of a source's column inside a join, and of an unaliased column that two sources share."""
    return f"{alias}_{column}"


def aggregate_column(index: int) -> str:
    """The column that holds the result of the index-th aggregate call."""
    return f"KSQL_AGG_VARIABLE_{index}"


def table_function_column(index: int) -> str:
    """The column that holds the elements of the index-th table function."""
    return f"KSQL_SYNTH_{index}"
