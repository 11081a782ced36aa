"""EARLIEST_BY_OFFSET and LATEST_BY_OFFSET.

A state carries the order in which values were seen, so that merged sessions know which value is older.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Any, Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.functions.define import Aggregation, Family

offsets = Family("AGGREGATE")

# Starts above every number that an earlier process stored; only the order of the numbers has a meaning.
_tick: Final = itertools.count(time.time_ns()).__next__

_SHAPES: Final = (
    ("T", "T"),
    ("T; BOOLEAN ignoreNulls", "T"),
    ("T; INT n", "ARRAY<T>"),
    ("T; INT n, BOOLEAN ignoreNulls", "ARRAY<T>"),
)


def _settings(constants: Sequence[Any], name: str) -> tuple[int | None, bool]:
    """How many values (None: one, not as an array) and whether NULL is skipped."""
    n = next((c for c in constants if not isinstance(c, bool)), None)
    if n is not None and n <= 0:
        raise ValueError(f"{name}N must be 1 or greater")
    return n, next((c for c in constants if isinstance(c, bool)), True)


def _values(state: list[Any]) -> list[Any]:
    return [v for _, v in state]


def earliest(_types: Sequence[T.SqlType], constants: Sequence[Any]) -> Aggregation:
    """The oldest value of a column, or an array of the oldest n; NULL is skipped unless told otherwise."""
    n, skip = _settings(constants, "earliest")
    size = n or 1

    def add(state: list[Any], v: Any) -> list[Any]:
        if len(state) >= size or (v is None and skip):
            return state
        return [*state, [_tick(), v]]

    def add_one(state: list[Any], v: Any) -> list[Any]:
        return state if state or (v is None and skip) else [[_tick(), v]]

    return Aggregation(
        init=list,
        add=add if n else add_one,
        merge=lambda a, b: sorted([*a, *b], key=_order)[:size],
        result=_values if n else _first,
    )


def latest(_types: Sequence[T.SqlType], constants: Sequence[Any]) -> Aggregation:
    """The newest value of a column, or an array of the newest n; NULL is skipped unless told otherwise."""
    n, skip = _settings(constants, "latest")
    size = n or 1

    def add(state: list[Any], v: Any) -> list[Any]:
        if v is None and skip:
            return state
        kept = state[len(state) - size + 1 :] if len(state) >= size else state
        return [*kept, [_tick(), v]]

    def add_one(state: list[Any], v: Any) -> list[Any]:
        return state if v is None and skip else [[_tick(), v]]

    def merge(a: list[Any], b: list[Any]) -> list[Any]:
        if n is None:
            return sorted([*a, *b], key=_order)[-1:]
        # ksqlDB keeps the oldest n of two merged sessions here, and so do we.
        return sorted([*a, *b], key=_order)[:size]

    return Aggregation(init=list, add=add if n else add_one, merge=merge, result=_values if n else _first)


def _order(entry: Sequence[Any]) -> int:
    return int(entry[0])


def _first(state: list[Any]) -> Any:
    return state[0][1] if state else None


for _args, _result in _SHAPES:
    _signature = f"(T val1{_args[1:]}) -> {_result}"
    offsets.aggregate(f"EARLIEST_BY_OFFSET{_signature}", about="The earliest value or values of a column.")(
        earliest
    )
    offsets.aggregate(f"LATEST_BY_OFFSET{_signature}", about="The latest value or values of a column.")(
        latest
    )
