"""The order in which a Java HashMap with string keys is walked: maps leave ksqlDB in that order."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, TypeVar

_MOST_KEYS: Final = 16  # of a map whose order is remembered
K = TypeVar("K", bound="str | None")
V = TypeVar("V")


@lru_cache(maxsize=16384)
def spread_hash(text: str | None) -> int:
    """HashMap's hash of a string (32 bits, unsigned)."""
    if text is None:
        return 0
    h = 0
    if text.isascii():
        for byte in text.encode("ascii"):
            h = (31 * h + byte) & 0xFFFFFFFF
    else:
        units = text.encode("utf-16-be", "surrogatepass")
        for high, low in zip(units[::2], units[1::2], strict=True):
            h = (31 * h + (high << 8 | low)) & 0xFFFFFFFF
    return h ^ (h >> 16)


def hash_order(entries: Mapping[K, V], capacity: int | None = None) -> dict[K, V]:
    """The entries in the order of a HashMap made with `capacity` and filled in the given order.

    None is a map made for exactly this many entries, as deserializers do. Entries of one bucket keep their
    order.
    """
    size = len(entries)
    if size < 2:
        return dict(entries)
    buckets = 1 << ((size if capacity is None else capacity) - 1).bit_length()
    while size * 4 > buckets * 3:
        buckets *= 2
    if size > _MOST_KEYS:
        return {key: entries[key] for key in sorted(entries, key=lambda key: spread_hash(key) & buckets - 1)}
    return {key: entries[key] for key in _ordered(tuple(entries), buckets)}


@lru_cache(maxsize=1024)
def _ordered(keys: tuple[K, ...], buckets: int) -> tuple[K, ...]:
    """The keys of a map in order; records of one topic often have the same ones."""
    return tuple(sorted(keys, key=lambda key: spread_hash(key) & buckets - 1))
