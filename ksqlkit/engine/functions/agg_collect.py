"""Aggregates that keep values: COLLECT_LIST, COLLECT_SET, ATTR, TOPK and TOPKDISTINCT.

States are never changed in place, so a caller may keep the value it had before.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from ksqlkit.dialect import types as T
from ksqlkit.engine.functions.agg_basic import java_key
from ksqlkit.engine.functions.define import Aggregation, Family

collect = Family("AGGREGATE")


def _limit(setting: Any) -> int:
    """How many values a collection may hold; -1 and no setting mean no limit."""
    given = -1 if setting is None else int(setting)
    return given if given >= 0 else sys.maxsize


@collect.aggregate(
    "COLLECT_LIST(T val1) -> ARRAY<T>",
    about="Collects the values of a column into an array.",
    settings=("ksql.functions.collect_list.limit",),
)
def collect_list(_types: Sequence[T.SqlType], constants: Sequence[Any]) -> Aggregation:
    """All values of a column, NULL too, in the order they came."""
    limit = _limit(constants[-1])

    def remove(state: list[Any], v: Any) -> list[Any]:
        for i in range(len(state) - 1, -1, -1):
            if state[i] == v:
                return [*state[:i], *state[i + 1 :]]
        return state

    return Aggregation(
        init=list,
        add=lambda state, v: [*state, v] if len(state) < limit else state,
        remove=remove,
        merge=lambda a, b: [*a, *b][: max(limit, len(a))],
        inline_add="[*{state}, {0}]" if limit == sys.maxsize else None,
    )


@collect.aggregate(
    "COLLECT_SET(T val1) -> ARRAY<T>",
    about="Collects the distinct values of a column into an array.",
    settings=("ksql.functions.collect_set.limit",),
)
def collect_set(_types: Sequence[T.SqlType], constants: Sequence[Any]) -> Aggregation:
    """The distinct values of a column, NULL too, in the order they first came."""
    limit = _limit(constants[-1])

    def add(state: list[Any], v: Any) -> list[Any]:
        return state if len(state) >= limit or v in state else [*state, v]

    def merge(a: list[Any], b: list[Any]) -> list[Any]:
        for v in b:
            a = add(a, v)
        return a

    return Aggregation(init=list, add=add, merge=merge)


@collect.aggregate("ATTR(T val1) -> T", about="Collects a single value.")
def attr(_types: Sequence[T.SqlType], _constants: Sequence[Any]) -> Aggregation:
    """The value of a column that should be the same in all rows of a key; NULL if there are several."""

    def update(state: list[Any], v: Any, by: int) -> list[Any]:
        for i, (old, n) in enumerate(state):
            if old == v:
                return [*state[:i], [old, max(0, n + by)], *state[i + 1 :]]
        return [*state, [v, by]] if by > 0 else state

    def merge(a: list[Any], b: list[Any]) -> list[Any]:
        for v, n in b:
            a = update(a, v, n)
        return a

    def result(state: list[Any]) -> Any:
        held = [v for v, n in state if n > 0]
        return held[0] if len(held) == 1 else None

    return Aggregation(
        init=list,
        add=lambda state, v: update(state, v, 1),
        remove=lambda state, v: update(state, v, -1),
        merge=merge,
        result=result,
    )


def _topk(types: Sequence[T.SqlType], constants: Sequence[Any]) -> Aggregation:
    """The k largest values of a group, with other columns of their rows."""
    size = _positive(constants[0])
    key = java_key(types[0]) or (lambda v: v)
    fields = ("sort_col", *(f"col{i}" for i in range(len(types) - 1)))
    row: T.SqlType = T.Struct(tuple(zip(fields, types, strict=True))) if len(types) > 1 else types[0]

    def sort_key(item: Any) -> Any:
        return key(item["sort_col"] if len(types) > 1 else item)

    def add(state: list[Any], v: Any, *others: Any) -> list[Any]:
        if v is None or (len(state) == size and key(v) <= sort_key(state[-1])):
            return state
        item = dict(zip(fields, (v, *others), strict=True)) if others else v
        kept = state[: size - 1] if len(state) == size else state
        return sorted([*kept, item], key=sort_key, reverse=True)

    def merge(a: list[Any], b: list[Any]) -> list[Any]:
        return sorted([*a, *b], key=sort_key, reverse=True)[:size]

    return Aggregation(init=list, add=add, merge=merge, returns=T.Array(row))


def _topkdistinct(types: Sequence[T.SqlType], constants: Sequence[Any]) -> Aggregation:
    """The k largest different values of a group."""
    size = _positive(constants[0])
    key = java_key(types[0]) or (lambda v: v)

    def add(state: list[Any], v: Any) -> list[Any]:
        if v is None or v in state:
            return state
        return sorted([*state, v], key=key, reverse=True)[:size]

    def merge(a: list[Any], b: list[Any]) -> list[Any]:
        return sorted([*a, *(v for v in b if v not in a)], key=key, reverse=True)[:size]

    return Aggregation(init=list, add=add, merge=merge, returns=T.Array(types[0]))


def _positive(k: Any) -> int:
    if not isinstance(k, int) or k < 1:
        raise ValueError(f"k must be 1 or greater, not {k}")
    return k


for _type, _words in (
    ("DOUBLE", "a double"),
    ("INT", "an integer"),
    ("BIGINT", "a bigint"),
    ("VARCHAR", "a string"),
):
    collect.aggregate(
        f"TOPK({_type} val1, ANY... val2; INT k) -> ARRAY<S>",
        about=f"The k largest of {_words} column, with other columns of their rows.",
    )(_topk)

for _type in ("DECIMAL", "DOUBLE", "INT", "BIGINT", "DATE", "TIME", "TIMESTAMP", "VARCHAR", "BYTES"):
    collect.aggregate(
        f"TOPKDISTINCT({_type} val1; INT k) -> ARRAY<{_type}>",
        about=f"The k largest distinct values of a {_type} column.",
    )(_topkdistinct)
