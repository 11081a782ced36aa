"""Compiled expressions against slow, obvious definitions."""

from __future__ import annotations

import decimal
import fractions
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import parse_expression
from ksqlkit.dialect import types as T
from ksqlkit.engine.expressions import compile_function, decimals, runtime, times
from ksqlkit.engine.schema import Column
from ksqlkit.engine.wire import make_row_encoder
from tests.support.expressions import registry

FUNCTIONS = registry()
INTS = st.one_of(st.integers(-(2**31), 2**31 - 1), st.sampled_from([-(2**31), -1, 0, 1, 2**31 - 1]))
LONGS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from([-(2**63), -1, 0, 1, 2**63 - 1]))
COLUMNS = (Column("I", T.INTEGER), Column("J", T.INTEGER), Column("L", T.BIGINT), Column("S", T.STRING))


def wrap(value: int, bits: int) -> int:
    """Two's complement."""
    return (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


def trees() -> st.SearchStrategy[N.Expression]:
    """Whole-number arithmetic over I, J and L."""
    leaves = st.one_of(
        st.sampled_from([N.ColumnRef("I"), N.ColumnRef("J"), N.ColumnRef("L")]),
        st.integers(0, 2**31 - 1).map(N.IntegerLiteral),
    )
    return st.recursive(
        leaves,
        lambda inner: (
            st.builds(N.Arithmetic, st.sampled_from("+-*/%"), inner, inner)  # type: ignore[arg-type]
            | st.builds(N.Signed, st.just("-"), inner)
        ),
        max_leaves=8,
    )


def java(node: N.Expression, row: dict[str, int]) -> tuple[int, int]:
    """Value and width of an expression, one operation at a time."""
    match node:
        case N.ColumnRef(name=name):
            return row[name], 64 if name == "L" else 32
        case N.IntegerLiteral(value=value):
            return value, 32
        case N.Signed(operand=operand):
            value, bits = java(operand, row)
            return wrap(-value, bits), bits
        case N.Arithmetic(op=op, left=left, right=right):
            (a, bits_a), (b, bits_b) = java(left, row), java(right, row)
            bits = max(bits_a, bits_b)
            if op in "/%":
                quotient = int(fractions.Fraction(a, b))
                return wrap(quotient if op == "/" else a - b * quotient, bits), bits
            return wrap({"+": a + b, "-": a - b, "*": a * b}[op], bits), bits
    raise AssertionError(node)


@given(trees(), INTS, INTS, LONGS)
def test_whole_numbers_wrap_at_every_step(tree: N.Expression, i: int, j: int, long: int) -> None:
    evaluate = compile_function([tree], COLUMNS, FUNCTIONS)
    try:
        expected, _ = java(tree, {"I": i, "J": j, "L": long})
    except ZeroDivisionError:
        with pytest.raises(ZeroDivisionError):
            evaluate((i, j, long, ""))
    else:
        assert evaluate((i, j, long, "")) == (expected,)


DECIMALS = st.decimals(-999999, 999999, places=2)


@given(DECIMALS, DECIMALS)
def test_decimals_are_exact(a: decimal.Decimal, b: decimal.Decimal) -> None:
    x, y = fractions.Fraction(a), fractions.Fraction(b)
    assert fractions.Fraction(decimals.dec_add(a, b)) == x + y
    assert fractions.Fraction(decimals.dec_sub(a, b)) == x - y
    assert fractions.Fraction(decimals.dec_mul(a, b)) == x * y
    assert not decimals.dec_mul(a, b).is_signed() or x * y < 0


@given(DECIMALS, DECIMALS)
def test_a_quotient_is_exact_or_an_error(a: decimal.Decimal, b: decimal.Decimal) -> None:
    try:
        found = decimals.dec_div(a, b, 24, 13)
    except ArithmeticError:
        assert not b or (fractions.Fraction(a) / fractions.Fraction(b) * 10**13).denominator != 1
    else:
        assert fractions.Fraction(found) == fractions.Fraction(a) / fractions.Fraction(b)
        assert found.as_tuple().exponent == -13


@given(DECIMALS, DECIMALS.filter(bool))
def test_a_remainder_has_the_sign_of_the_dividend(a: decimal.Decimal, b: decimal.Decimal) -> None:
    rest = fractions.Fraction(decimals.dec_rem(a, b, 20, 2))
    assert (fractions.Fraction(a) - rest) / fractions.Fraction(b) == int(
        fractions.Fraction(a) / fractions.Fraction(b)
    )
    assert abs(rest) < abs(fractions.Fraction(b))
    assert rest == 0 or (rest < 0) == (a < 0)


@given(st.text(), st.text())
def test_strings_compare_as_utf16(a: str, b: str) -> None:
    x, y = a.encode("utf-16-be", "surrogatepass"), b.encode("utf-16-be", "surrogatepass")
    assert runtime.text_order(a, b) == (x > y) - (x < y)


def naive_like(value: str, pattern: str) -> bool:
    """LIKE by definition."""
    if not pattern:
        return not value
    if pattern[0] == "%":
        return naive_like(value, pattern[1:]) or (bool(value) and naive_like(value[1:], pattern))
    return bool(value) and pattern[0] in ("_", value[0]) and naive_like(value[1:], pattern[1:])


@given(st.text("ab.%_", max_size=8), st.text("ab.%_", max_size=6))
def test_like(value: str, pattern: str) -> None:
    tree = N.Like(N.ColumnRef("S"), N.StringLiteral(pattern))
    assert compile_function([tree], COLUMNS, FUNCTIONS)((0, 0, 0, value)) == (naive_like(value, pattern),)


@given(st.integers(-62135596800000, 253402300799999))
def test_timestamps_survive_their_text(millis: int) -> None:
    assert times.parse_timestamp(times.format_timestamp(millis)) == millis


@given(st.integers(-3_000_000, 5_000_000))
def test_calendar(days: int) -> None:
    assert times.days_from_civil(*times.civil_from_days(days)) == days


NULLABLE = st.one_of(st.none(), st.integers(-2, 2))
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
}


@pytest.mark.parametrize("op", COMPARE)
@given(NULLABLE, NULLABLE)
def test_null_makes_comparisons_false(op: str, a: int | None, b: int | None) -> None:
    evaluate = compile_function([parse_expression(f"I {op} J")], COLUMNS, FUNCTIONS)
    assert evaluate((a, b, 0, "")) == (a is not None and b is not None and COMPARE[op](a, b),)


@given(NULLABLE, NULLABLE)
def test_distinct_is_null_aware(a: int | None, b: int | None) -> None:
    exprs = [parse_expression(f"I IS {word}DISTINCT FROM J") for word in ("", "NOT ")]
    assert compile_function(exprs, COLUMNS, FUNCTIONS)((a, b, 0, "")) == (a != b, a == b)


@given(st.lists(st.tuples(st.one_of(st.none(), INTS), st.text(), st.floats(), st.lists(st.booleans()))))
def test_rows_are_json(rows: list[tuple[int | None, str, float, list[bool]]]) -> None:
    encode = make_row_encoder([T.INTEGER, T.STRING, T.DOUBLE, T.Array(T.BOOLEAN)])
    for row in rows:
        whole, text, number, flags = json.loads(encode(row))
        assert (whole, text, flags) == (row[0], row[1], row[3])
        assert float(number) == row[2] or row[2] != row[2]
