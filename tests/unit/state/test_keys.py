"""Keys as hashable values, and back."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ksqlkit.dialect import types as T
from ksqlkit.engine.state.keys import hash_key, key_columns

STRUCT = T.Struct((("A", T.INTEGER), ("B", T.Array(T.STRING))))


@pytest.mark.parametrize(
    ("types", "columns"),
    [
        ([T.STRING], ("a",)),
        ([T.INTEGER, T.STRING], (1, None)),
        ([T.Array(T.Map(T.STRING, T.INTEGER))], ([{"x": 1}, None],)),
        ([STRUCT, T.DOUBLE], ({"A": 1, "B": ["p", "q"]}, 2.5)),
    ],
)
def test_round_trip(types: list[T.SqlType], columns: tuple[Any, ...]) -> None:
    key = hash_key(columns, types)
    assert hash(key) == hash(hash_key(columns, types))
    assert key_columns(key, types) == columns


def test_doubles_are_equal_as_their_bytes_are() -> None:
    types = [T.DOUBLE]
    assert hash_key((math.nan,), types) == hash_key((-math.nan,), types)
    assert hash_key((0.0,), types) != hash_key((-0.0,), types)
    assert math.isnan(key_columns(hash_key((math.nan,), types), types)[0])
    assert math.copysign(1, key_columns(hash_key((-0.0,), types), types)[0]) == -1
