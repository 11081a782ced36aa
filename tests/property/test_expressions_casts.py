"""Every cast that compiles gives null, a value of its type, or one of the errors a cast may raise."""

from __future__ import annotations

import decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import types as T
from ksqlkit.engine.expressions import coerce_source, compile_function
from ksqlkit.engine.schema import Column
from ksqlkit.engine.wire import make_row_encoder
from ksqlkit.errors import StatementError
from tests.support.expressions import registry

FUNCTIONS = registry()
SCALARS: dict[T.SqlType, st.SearchStrategy[Any]] = {
    T.BOOLEAN: st.booleans(),
    T.INTEGER: st.integers(-(2**31), 2**31 - 1),
    T.BIGINT: st.integers(-(2**63), 2**63 - 1),
    T.DOUBLE: st.floats(),
    T.STRING: st.one_of(st.text(), st.integers().map(str), st.floats().map(str), st.dates().map(str)),
    T.BYTES: st.binary(),
    T.TIME: st.integers(0, 86_399_999),
    T.DATE: st.integers(-800_000, 3_000_000),
    T.TIMESTAMP: st.integers(-(2**46), 2**48),
    T.Decimal(6, 2): st.decimals(-9999, 9999, places=2),
    T.Decimal(25, 0): st.decimals(-(10**20), 10**20, places=0),
}
SCALAR_TYPES = st.sampled_from(list(SCALARS))
TYPES: st.SearchStrategy[T.SqlType] = st.recursive(
    SCALAR_TYPES,
    lambda inner: st.one_of(
        inner.map(T.Array),
        inner.map(lambda value: T.Map(T.STRING, value)),
        st.tuples(inner, inner).map(lambda pair: T.Struct((("A", pair[0]), ("B", pair[1])))),
    ),
    max_leaves=4,
)


def values(kind: T.SqlType) -> st.SearchStrategy[Any]:
    """Values of a type, null among them."""
    if isinstance(kind, T.Array):
        plain: st.SearchStrategy[Any] = st.lists(values(kind.item), max_size=3)
    elif isinstance(kind, T.Map):
        plain = st.dictionaries(st.text(max_size=3), values(kind.value), max_size=3)
    elif isinstance(kind, T.Struct):
        names = [name for name, _ in kind.fields]
        plain = st.tuples(*(values(inner) for _, inner in kind.fields)).map(
            lambda row: dict(zip(names, row, strict=True))
        )
    else:
        plain = SCALARS[kind]
    return st.none() | plain


def alike(kind: T.SqlType) -> st.SearchStrategy[T.SqlType]:
    """Types of the same shape, or STRING: those that most casts lead to."""
    match kind:
        case T.Array(item=item):
            shaped: st.SearchStrategy[T.SqlType] = alike(item).map(T.Array)
        case T.Map(value=inner):
            shaped = alike(inner).map(lambda value: T.Map(T.STRING, value))
        case T.Struct(fields=fields):
            pairs = st.tuples(*(alike(inner) for _, inner in fields))
            names = [name for name, _ in fields]
            shaped = pairs.map(lambda found: T.Struct(tuple(zip(names, found, strict=True))))
        case _:
            return SCALAR_TYPES
    return st.just(T.STRING) | shaped


def fits(value: Any, kind: T.SqlType) -> bool:
    """Whether a value is as the engine holds values of the type."""
    if value is None:
        return True
    match kind:
        case T.Array(item=item):
            return isinstance(value, list) and all(fits(v, item) for v in value)
        case T.Map(value=inner):
            return isinstance(value, dict) and all(fits(v, inner) for v in value.values())
        case T.Struct(fields=fields):
            return list(value) == [n for n, _ in fields] and all(fits(value[n], t) for n, t in fields)
        case T.Decimal(scale=scale):
            return isinstance(value, decimal.Decimal) and value.as_tuple().exponent == -scale
    bits = {T.INTEGER: 32, T.BIGINT: 64}.get(kind, 72)
    classes: dict[T.SqlType, type] = {T.BOOLEAN: bool, T.DOUBLE: float, T.STRING: str, T.BYTES: bytes}
    if not isinstance(value, classes.get(kind, int)) or isinstance(value, bool) != (kind == T.BOOLEAN):
        return False
    return not isinstance(value, int) or -(1 << bits - 1) <= value < 1 << bits - 1


@given(st.data())
def test_casts(data: st.DataObject) -> None:
    source = data.draw(TYPES)
    target = data.draw(alike(source))
    value = data.draw(values(source))
    expr = N.Cast(N.ColumnRef("X"), target)
    errors: list[Exception] = []
    try:
        evaluate = compile_function([expr], [Column("X", source)], FUNCTIONS, lambda _, e: errors.append(e))
    except StatementError:
        return
    (result,) = evaluate((value,))
    assert fits(result, target)
    assert result is not None or value is None or errors
    assert all(isinstance(error, ArithmeticError | ValueError) for error in errors)
    make_row_encoder([target])((result,))

    made = coerce_source("x", source, target)
    if not errors:
        again = eval(f"(lambda x: {made.source})(x)", {**made.names, "x": value})
        assert again == result or again != again or result != result or "nan" in str(result)


@given(st.data())
def test_a_value_cast_to_its_own_type_stays(data: st.DataObject) -> None:
    kind = data.draw(TYPES)
    value = data.draw(values(kind))
    evaluate = compile_function([N.Cast(N.ColumnRef("X"), kind)], [Column("X", kind)], FUNCTIONS)
    assert evaluate((value,))[0] is value
