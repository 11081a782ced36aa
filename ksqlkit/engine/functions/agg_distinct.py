"""COUNT_DISTINCT: HyperLogLog with 2^14 registers over 32-bit MurmurHash2, as ksqlDB's library does it."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.functions.define import Aggregation, Family
from ksqlkit.engine.java_numbers import double_to_string

distincts = Family("AGGREGATE")

_LOG2: Final = 14
_SIZE: Final = 1 << _LOG2
_ALPHA: Final = 0.7213 / (1 + 1.079 / _SIZE) * _SIZE * _SIZE
_M: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF


def _mix(k: int) -> int:
    k = k * _M & _MASK
    k ^= k >> 24
    return k * _M & _MASK


def _final(h: int) -> int:
    h ^= h >> 13
    h = h * _M & _MASK
    return h ^ h >> 15


def hash_bytes(data: bytes) -> int:
    """MurmurHash2 of bytes with the seed -1."""
    size = len(data)
    h = _MASK ^ size
    whole = size >> 2 << 2
    for (k,) in struct.iter_unpack("<I", data[:whole]):
        h = h * _M & _MASK ^ _mix(k)
    if size > whole:
        for shift, byte in enumerate(data[whole:]):
            signed = byte - 256 if byte > 127 else byte
            h ^= signed << 8 * shift & _MASK
        h = h * _M & _MASK
    return _final(h)


def hash_long(value: int) -> int:
    """The library's hash of a 64-bit integer."""
    low, high = value & _MASK, value >> 32 & _MASK
    h = _mix(low)
    h = h * _M & _MASK ^ _mix(high)
    return _final(h)


def _hash(kind: T.SqlType) -> Callable[[Any], int]:
    """The hash of values of a type. Bytes, arrays, maps and structs count by their content."""
    if kind in (T.INTEGER, T.BIGINT):
        return hash_long
    if kind == T.DOUBLE:
        return lambda v: hash_long(struct.unpack(">q", struct.pack(">d", v))[0])
    if kind == T.BYTES:
        return hash_bytes
    return lambda v: hash_bytes(_text(v).encode("utf-8", "replace"))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return double_to_string(value) if isinstance(value, float) else str(value)


@distincts.aggregate("COUNT_DISTINCT(T val1) -> BIGINT", about="Count distinct")
def count_distinct(types: Sequence[T.SqlType], _constants: Sequence[Any]) -> Aggregation:
    """The approximate number of distinct values, within about one percent; NULL does not count."""
    hashed = _hash(types[0])

    def add(state: list[int], v: Any) -> list[int]:
        """The state is pairs packed as register << 6 | rank, in order of the register; most keys see few values."""
        if v is None:
            return state
        x = hashed(v)
        register = x >> 32 - _LOG2
        rest = x << _LOG2 & _MASK | (1 << _LOG2 - 1) + 1
        return _merge(state, [register << 6 | 33 - rest.bit_length()])

    return Aggregation(init=list, add=add, merge=_merge, result=_cardinality)


def _merge(a: list[int], b: list[int]) -> list[int]:
    best = {entry >> 6: entry for entry in a}
    for entry in b:
        old = best.get(entry >> 6, 0)
        if entry > old:
            best[entry >> 6] = entry
    return sorted(best.values()) if len(best) != len(a) or len(b) > 1 else list(best.values())


def _cardinality(state: list[int]) -> int:
    ranks = [entry & 63 for entry in state]
    zeros = _SIZE - len(ranks)
    estimate = _ALPHA / (sum(2.0**-r for r in ranks) + zeros)
    if estimate <= 2.5 * _SIZE and zeros:
        return math.floor(_SIZE * math.log(_SIZE / zeros) + 0.5)
    return math.floor(estimate + 0.5)
