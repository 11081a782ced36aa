"""Random SQL types and their values, and what reading or writing one gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from ksqlkit.dialect import types as T
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde import SerdeError

PRIMITIVES = [T.BOOLEAN, T.INTEGER, T.BIGINT, T.DOUBLE, T.STRING, T.BYTES, T.TIME, T.DATE, T.TIMESTAMP]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAMES = st.sampled_from(["A", "a", "B", "b", "Ab", "é", 'q"', "{x}"])

ODD_VALUES = st.sampled_from([1.5, "x", b"x", "\ud800", 1 << 70, -(1 << 70), True, [], {}, Decimal("1e40")])


def kinds() -> st.SearchStrategy[T.SqlType]:
    leaves: st.SearchStrategy[T.SqlType] = st.sampled_from([*PRIMITIVES, T.Decimal(6, 2), T.Decimal(20, 10)])
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            inner.map(T.Array),
            inner.map(lambda t: T.Map(T.STRING, t)),
            st.lists(st.tuples(NAMES, inner), min_size=1, max_size=3, unique_by=lambda f: f[0]).map(
                lambda fields: T.Struct(tuple(fields))
            ),
        ),
        max_leaves=5,
    )


def values(kind: T.SqlType) -> st.SearchStrategy[Any]:
    """Values of the type, with nulls."""
    match kind:
        case T.Decimal(precision, scale):
            limit = 10**precision - 1
            found: st.SearchStrategy[Any] = st.integers(-limit, limit).map(
                lambda n: Decimal(n).scaleb(-scale) + Decimal((0, (0,), -scale))
            )
        case T.Array(item):
            found = st.lists(values(item), max_size=3)
        case T.Map(_, item):
            found = st.dictionaries(TEXT, values(item), max_size=4)
        case T.Struct(fields):
            found = st.fixed_dictionaries({name: values(t) for name, t in fields})
        case T.BOOLEAN:
            found = st.booleans()
        case T.INTEGER | T.DATE:
            found = st.integers(-(1 << 31), (1 << 31) - 1)
        case T.BIGINT | T.TIMESTAMP:
            found = st.integers(-(1 << 63), (1 << 63) - 1)
        case T.DOUBLE:
            found = st.floats(allow_nan=False, allow_infinity=False).map(lambda v: v + 0.0)
        case T.STRING:
            found = TEXT
        case T.BYTES:
            found = st.binary(max_size=6)
        case _:
            found = st.integers(0, 86_400_000)
    return st.none() | found


def columns_of(types: Sequence[T.SqlType]) -> tuple[Column, ...]:
    return tuple(Column(name, t) for name, t in zip(("A", "b", "C", "D"), types, strict=False))


def outcome(act: Callable[[Any], Any], value: Any) -> str:
    """What it gives or says, types included."""
    try:
        return repr(act(value))
    except SerdeError as error:
        return repr((error.message, error.causes))


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """The bytes, cut, or with one changed or one more."""
    at, byte = draw(st.integers(0, len(data))), bytes([draw(st.integers(0, 255))])
    return draw(st.sampled_from([data[:at], data[:at] + byte + data[at + 1 :], data[:at] + byte + data[at:]]))
