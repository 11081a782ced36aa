"""Values as bytes and back."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ksqlkit.engine.log.chunk import Chunk
from ksqlkit.engine.log.codec import decode_state, encode_state
from ksqlkit.engine.log.protocol import Record

LEAVES = (
    st.none() | st.booleans() | st.integers() | st.integers(-(1 << 80), 1 << 80) | st.floats(allow_nan=False)
    | st.text() | st.binary() | st.decimals(allow_nan=False)
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.none() | st.text() | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_values_come_back(value: Any) -> None:
    data = encode_state(value)
    assert repr(decode_state(data)) == repr(value)
    assert encode_state(decode_state(data)) == data


def test_odd_values() -> None:
    assert math.isnan(decode_state(encode_state(math.nan)))
    assert decode_state(encode_state("\ud800")) == "\ud800"
    assert str(decode_state(encode_state(Decimal("1.500")))) == "1.500"
    with pytest.raises(TypeError, match="no encoding for a value of type set"):
        encode_state({1})


@given(st.binary(max_size=30))
def test_other_bytes_are_refused_or_decoded(data: bytes) -> None:
    try:
        decode_state(data)
    except ValueError:
        return


def test_cut_off_bytes_are_refused() -> None:
    data = encode_state((1, "text", [2.5, None], {"k": b"v"}))
    for end in range(len(data)):
        with pytest.raises(ValueError, match="encoded value"):
            decode_state(data[:end])


OPTIONAL = st.none() | st.binary(max_size=5)
RECORDS = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.integers(-(1 << 63), (1 << 63) - 1),
        OPTIONAL,
        OPTIONAL,
        st.lists(st.tuples(st.text(max_size=3), OPTIONAL), max_size=2).map(tuple),
    ),
    min_size=1,
    max_size=8,
)


@given(RECORDS, st.integers(0, 30), st.integers(1, 9))
def test_chunks_come_back(rows: list[Any], offset: int, limit: int) -> None:
    records, at = [], 0
    for gap, *rest in rows:
        at += gap
        records.append(Record(at, *rest))
    chunk = Chunk.decode(Chunk.of(records).encode(), at)
    assert chunk.records() == records
    assert chunk.records(offset, limit) == [r for r in records if r.offset >= offset][:limit]
    assert chunk.size == sum(len(r.key or b"") + len(r.value or b"") for r in records)
