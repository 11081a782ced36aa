"""DECIMAL values with Java BigDecimal's results: exact or an error, never a silent rounding, and no negative zero."""

from __future__ import annotations

import re
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation, Overflow
from functools import lru_cache

from ksqlkit.engine.java_numbers import double_to_string

_WIDE = Context(prec=400, rounding=ROUND_HALF_UP, traps=[InvalidOperation, Overflow])
_EXACT = Context(prec=400, rounding=ROUND_HALF_UP, traps=[InvalidOperation, Overflow, Inexact])
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_BLANK = "".join(map(chr, range(33)))

# Bound C methods: these are the hot path. `plus` drops the sign of a zero, which Java's decimals do not have.
dec_add = _WIDE.add
dec_sub = _WIDE.subtract
dec_neg = _WIDE.minus
_multiply = _WIDE.multiply
_plus = _WIDE.plus
_quantize = _WIDE.quantize


def dec_mul(a: Decimal | int, b: Decimal | int) -> Decimal:
    """a * b, exact."""
    return _plus(_multiply(a, b))


@lru_cache(maxsize=256)
def _unit(scale: int) -> Decimal:
    return Decimal(1).scaleb(-scale)


@lru_cache(maxsize=256)
def _limit(digits: int) -> Decimal:
    return Decimal(1).scaleb(digits)


@lru_cache(maxsize=256)
def _exact(precision: int) -> Context:
    return Context(prec=precision, rounding=ROUND_HALF_UP, traps=[InvalidOperation, Overflow, Inexact])


@lru_cache(maxsize=256)
def _cut(precision: int) -> Context:
    return Context(prec=precision, rounding=ROUND_DOWN, traps=[InvalidOperation, Overflow])


def dec_div(a: Decimal | int, b: Decimal | int, precision: int, scale: int) -> Decimal:
    """a / b at `scale`. Raises ArithmeticError unless the quotient fits exactly."""
    if b == 0 and a is not None:
        raise ArithmeticError("Division undefined" if not a else "Division by zero")
    try:
        return _plus(_EXACT.quantize(_exact(precision).divide(a, b), _unit(scale)))
    except Inexact:
        raise ArithmeticError("Rounding necessary") from None


def dec_rem(a: Decimal | int, b: Decimal | int, precision: int, scale: int) -> Decimal:
    """Remainder with the sign of a. Raises ArithmeticError where the whole quotient exceeds `precision` digits."""
    if b == 0 and a is not None:
        raise ArithmeticError("Division by zero")
    quotient = _cut(precision).divide(a, b).to_integral_value(ROUND_DOWN)
    rest = _WIDE.subtract(a, _multiply(quotient, b))
    if rest.copy_abs() >= Decimal(b).copy_abs():
        raise ArithmeticError("Division impossible")
    return _plus(_EXACT.quantize(rest, _unit(scale)))


def _fit(value: Decimal, precision: int, scale: int) -> Decimal:
    digits = precision - scale
    if value.copy_abs() >= _limit(digits):
        raise ArithmeticError(
            f"Numeric field overflow: A field with precision {precision} and scale {scale} must round to an "
            f"absolute value less than 10^{digits}. Got {value if value.adjusted() > 100 else format(value, 'f')}"
        )
    return _plus(_quantize(value, _unit(scale)))


def dec_cast(value: Decimal, precision: int, scale: int) -> Decimal:
    """A DECIMAL as DECIMAL(precision, scale), half up. Raises ArithmeticError on overflow."""
    return _fit(value, precision, scale)


def whole_to_dec(value: int, precision: int, scale: int) -> Decimal:
    """A whole number as DECIMAL(precision, scale)."""
    return _fit(Decimal(value), precision, scale)


def double_to_dec(value: float, precision: int, scale: int) -> Decimal:
    """A DOUBLE as DECIMAL(precision, scale): its exact binary value, first at `precision` digits, then half up."""
    exact = Context(prec=precision, rounding=ROUND_HALF_UP).create_decimal(value)
    if not exact.is_finite():
        raise ArithmeticError("Infinite or NaN")
    return _fit(exact, precision, scale)


def parse_decimal(text: str) -> Decimal:
    """Text as Java's BigDecimal reads it. Raises ValueError."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"Character array is missing digits or is no number: {text!r}")
    return Decimal(text)


def string_to_dec(text: str, precision: int, scale: int) -> Decimal:
    """Text as DECIMAL(precision, scale), half up."""
    return _fit(parse_decimal(text.strip(_BLANK)), precision, scale)


def double_as_dec(value: float) -> Decimal:
    """The decimal a DOUBLE prints as; what comparisons with DECIMAL use. Raises ArithmeticError for NaN, infinities."""
    if value - value != 0:
        raise ArithmeticError("Infinite or NaN")
    return Decimal(double_to_string(value))
