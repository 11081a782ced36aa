"""HISTOGRAM, with the order and the treatment of NULL that come from Java's HashMap and from state kept as JSON.

A state is [buckets, counts]. `buckets` is the size of the hash table while one record is processed, or 0 once the
counts are as the state store gives them back: sized anew, a NULL key turned into the text "null". That is why the
count of NULL is never above 1: each NULL finds only the text of the one before, and both are written as one field.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.functions.agg_collect import collect
from ksqlkit.engine.functions.define import Aggregation
from ksqlkit.engine.serde.java_map import hash_order, spread_hash

_LIMIT: Final = 1000
_FRESH: Final = 16

Counts = dict[str | None, int]


def _live(state: list[Any]) -> tuple[int, Counts]:
    """The hash table of a state, read from the store if it was there."""
    buckets, counts = state
    if buckets:
        return buckets, counts
    read: Counts = {}
    for key, n in counts.items():
        read["null" if key is None else key] = n
    size = max(len(read), 1)
    buckets = 1 << (size - 1).bit_length()
    while size * 4 > buckets * 3:
        buckets *= 2
    return buckets, hash_order(read)


def _put(buckets: int, counts: Counts, key: str | None, n: int) -> tuple[int, Counts]:
    """Add to a count. HashMap.merge puts a new key before the others of its bucket and grows before it puts."""
    if key in counts:
        return buckets, {**counts, key: counts[key] + n}
    if len(counts) >= _LIMIT:
        return buckets, counts
    if len(counts) * 4 > buckets * 3:
        buckets *= 2
        counts = hash_order(counts, buckets)
    place = spread_hash(key) & buckets - 1
    entries = list(counts.items())
    at = next((i for i, (k, _) in enumerate(entries) if spread_hash(k) & buckets - 1 >= place), len(entries))
    entries.insert(at, (key, n))
    return buckets, dict(entries)


@collect.aggregate("HISTOGRAM(VARCHAR val1) -> MAP<VARCHAR, BIGINT>", about="Counts each distinct string.")
def histogram(_types: Sequence[T.SqlType], _constants: Sequence[Any]) -> Aggregation:
    """How often each distinct string occurs, as a map of at most 1000 strings; later ones are not counted."""

    def add(state: list[Any], v: str | None) -> list[Any]:
        return [0, _put(*_live(state), v, 1)[1]]

    def remove(state: list[Any], v: str | None) -> list[Any]:
        counts = dict(_live(state)[1])
        key = "null" if v is None else v
        counts[key] = counts.get(key, 1) - 1
        return [0, {k: n for k, n in counts.items() if n > 0}]

    def merge(a: list[Any], b: list[Any]) -> list[Any]:
        buckets, counts = _live(a)
        for key, n in _live(b)[1].items():
            buckets, counts = _put(buckets, counts, key, n)
        return [buckets, counts]

    def result(state: list[Any]) -> Counts:
        counts: Counts = state[1]
        if None in counts and "null" in counts:
            return {k: n for k, n in counts.items() if k != "null"}
        return counts

    return Aggregation(init=lambda: [_FRESH, {}], add=add, remove=remove, merge=merge, result=result)
