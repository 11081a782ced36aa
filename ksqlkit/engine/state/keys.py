"""Keys as hashable Python values.

A key of one column is that column's value, a key of several a tuple of them, and a windowed key adds start and end.
Lists, maps and structs inside a key are frozen to tuples, and the doubles that Python's equality treats otherwise than
their bytes do (NaN, -0.0) to text; `thaw` turns them back by their SQL type.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ksqlkit.dialect import types as T


def needs_freezing(t: T.SqlType) -> bool:
    """Whether values of the type are not keys as they are."""
    return t == T.DOUBLE or isinstance(t, T.Array | T.Map | T.Struct)


def freeze(value: Any) -> Any:
    """A hashable stand-in: lists and dicts become tuples."""
    if isinstance(value, list):
        return tuple(freeze(v) for v in value)
    if isinstance(value, dict):
        return tuple((k, freeze(v)) for k, v in value.items())
    if isinstance(value, float) and (value != value or (value == 0 and math.copysign(1, value) < 0)):
        return repr(value)
    return value


def thaw(value: Any, t: T.SqlType) -> Any:
    """The value that was frozen."""
    if value is None:
        return None
    if t == T.DOUBLE:
        return float(value)
    if isinstance(t, T.Array):
        return [thaw(v, t.item) for v in value]
    if isinstance(t, T.Map):
        return {k: thaw(v, t.value) for k, v in value}
    if isinstance(t, T.Struct):
        return {name: thaw(v, dict(t.fields)[name]) for name, v in value}
    return value


def hash_key(columns: Sequence[Any], types: Sequence[T.SqlType]) -> Any:
    """The hashable key of key columns' values."""
    frozen = tuple(freeze(v) if needs_freezing(t) else v for v, t in zip(columns, types, strict=True))
    return frozen[0] if len(frozen) == 1 else frozen


def key_columns(key: Any, types: Sequence[T.SqlType]) -> tuple[Any, ...]:
    """The key columns' values of a hashable key (without a window)."""
    parts = (key,) if len(types) == 1 else key
    return tuple(thaw(v, t) if needs_freezing(t) else v for v, t in zip(parts, types, strict=True))
