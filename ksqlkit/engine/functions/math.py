"""Mathematical functions with Java's results at the edges: NaN and infinities instead of errors."""

from __future__ import annotations

import math as m
from collections.abc import Callable, Sequence
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_DOWN, ROUND_HALF_UP, Context, Decimal
from typing import Any, Final

from ksqlkit.dialect import types as T
from ksqlkit.engine import java_math as j
from ksqlkit.engine.functions.agg_basic import java_key
from ksqlkit.engine.functions.contract import ArgType
from ksqlkit.engine.functions.define import Family
from ksqlkit.engine.java_numbers import double_to_long, double_to_string, wrap_int, wrap_long
from ksqlkit.errors import StatementError

maths = Family("MATHEMATICAL")

_WIDE: Final = Context(prec=1000)
_NUMBERS: Final = ("DOUBLE", "INT", "BIGINT")


def _total(function: Callable[[float], float], beyond: float = m.nan) -> Callable[[float], float]:
    """A function of Python's math that gives `beyond` outside its domain and keeps infinities."""

    def safe(value: float) -> float:
        try:
            return function(value)
        except ValueError:
            return m.nan
        except OverflowError:
            return beyond if value > 0 else m.copysign(beyond, function(-1.0))

    return safe


def _log(value: float) -> float:
    if value == 0:
        return -m.inf
    return m.log(value) if value > 0 else m.nan


def _cot(value: float) -> float:
    tangent = _total(m.tan)(value)
    return 1.0 / tangent if tangent else m.copysign(m.inf, tangent)


_ONE_ARGUMENT: Final[tuple[tuple[str, str, Callable[[float], float], str], ...]] = (
    ("ACOS", "value", j.acos, "The inverse cosine, in radians."),
    ("ASIN", "value", j.asin, "The inverse sine, in radians."),
    ("ATAN", "value", j.atan, "The inverse tangent, in radians."),
    ("CBRT", "value", j.cbrt, "The cube root."),
    ("COS", "value", j.cos, "The cosine of an angle in radians."),
    ("COSH", "value", j.cosh, "The hyperbolic cosine."),
    ("COT", "value", _cot, "The cotangent of an angle in radians."),
    ("DEGREES", "value", m.degrees, "An angle in radians as degrees."),
    ("EXP", "exponent", _total(m.exp, m.inf), "Euler's number raised to a power."),
    ("LN", "value", _log, "The natural logarithm."),
    ("RADIANS", "value", m.radians, "An angle in degrees as radians."),
    ("SIN", "value", j.sin, "The sine of an angle in radians."),
    ("SINH", "value", _total(m.sinh, m.inf), "The hyperbolic sine."),
    ("SQRT", "value", _total(m.sqrt), "The square root."),
    ("TAN", "value", _total(m.tan), "The tangent of an angle in radians."),
    ("TANH", "value", m.tanh, "The hyperbolic tangent."),
)


def _declare() -> None:
    for name, argument, function, text in _ONE_ARGUMENT:

        def apply(value: float, function: Callable[[float], float] = function) -> float:
            return function(float(value))

        apply.__doc__ = text
        maths.scalar(*(f"{name}({t} {argument}) -> DOUBLE" for t in _NUMBERS))(apply)


_declare()


@maths.scalar("PI() -> DOUBLE")
def pi() -> float:
    """The ratio of a circle's circumference to its diameter."""
    return m.pi


@maths.scalar("RANDOM() -> DOUBLE", deterministic=False)
def random() -> float:
    """A random number from 0.0 up to 1.0."""
    from random import random as draw

    return draw()


@maths.scalar(*(f"ATAN2({t} y, {t} x) -> DOUBLE" for t in ("DOUBLE", "BIGINT", "INT")))
def atan2(y: float, x: float) -> float:
    """The angle, in radians, of the point (x, y)."""
    return j.atan2(float(y), float(x))


@maths.scalar(*(f"LOG({t} base, {t} value) -> DOUBLE" for t in ("INT", "BIGINT", "DOUBLE")))
def log_base(base: float, value: float) -> float:
    """The logarithm of a value, natural or to a base."""
    if base <= 0 or base == 1:
        return m.nan
    top, bottom = _log(float(value)), _log(float(base))
    return top / bottom


@maths.scalar(*(f"LOG({t} value) -> DOUBLE" for t in _NUMBERS))
def log(value: float) -> float:
    """The natural logarithm."""
    return _log(float(value))


@maths.scalar(*(f"POWER({t} base, {t} exponent) -> DOUBLE" for t in ("DOUBLE", "BIGINT", "INT")))
def power(base: float, exponent: float) -> float:
    """A base raised to an exponent."""
    x, y = float(base), float(exponent)
    if (y != y) or (abs(x) == 1 and m.isinf(y)):  # C says 1 here, Java says NaN
        return m.nan
    try:
        return m.pow(x, y)
    except OverflowError:
        return -m.inf if x < 0 and y % 2 == 1 else m.inf
    except ValueError:
        return m.copysign(m.inf, x if y % 2 == 1 else 1.0) if x == 0 else m.nan


@maths.scalar("ABS(DECIMAL val) -> DECIMAL", "ABS(DOUBLE val) -> DOUBLE")
def abs_(value: Any) -> Any:
    """How far a number is from zero."""
    return value.copy_abs() if isinstance(value, Decimal) else abs(value)


@maths.scalar("ABS(INT val) -> INT")
def abs_int(value: int) -> int:
    """The absolute value; that of the smallest integer overflows."""
    return wrap_int(abs(value))


@maths.scalar("ABS(BIGINT val) -> BIGINT")
def abs_bigint(value: int) -> int:
    """The absolute value; that of the smallest integer overflows."""
    return wrap_long(abs(value))


def _quantized(value: Decimal, exponent: int, mode: str | None = None) -> Decimal:
    """With another exponent; Java's decimals have no negative zero."""
    found = value.quantize(Decimal(1).scaleb(exponent), mode, _WIDE)
    return found.copy_abs() if found.is_zero() else found


def _whole(value: Any, mode: str) -> Any:
    if isinstance(value, Decimal):
        scale = value.as_tuple().exponent
        assert isinstance(scale, int)
        return _quantized(_quantized(value, 0, mode), scale)
    if isinstance(value, float) and m.isfinite(value):
        return m.copysign(float(m.ceil(value) if mode == ROUND_CEILING else m.floor(value)), value)
    return value


_SAME = ("DECIMAL", "DOUBLE", "INT", "BIGINT")


@maths.scalar(*(f"CEIL({t} val) -> {t}" for t in _SAME))
def ceil(value: Any) -> Any:
    """The smallest whole number that is not less than the value."""
    return _whole(value, ROUND_CEILING)


@maths.scalar(*(f"FLOOR({t} val) -> {t}" for t in _SAME))
def floor(value: Any) -> Any:
    """The largest whole number that is not greater than the value."""
    return _whole(value, ROUND_FLOOR)


@maths.scalar(*(f"SIGN({t} value) -> INT" for t in _NUMBERS))
def sign(value: float) -> int:
    """1, 0 or -1 for a positive value, zero, or a negative value."""
    return (value > 0) - (value < 0)


def _scaled(value: Decimal, places: int, mode: str) -> Decimal:
    scale = value.as_tuple().exponent
    assert isinstance(scale, int)
    if places >= -scale:
        return value
    return _quantized(value, -places, mode)


def _half(value: Decimal) -> str:
    """Halves go up, in the positive direction."""
    return ROUND_HALF_UP if value > 0 else ROUND_HALF_DOWN


def _double_places(value: float, places: int, mode: Callable[[Decimal], str]) -> float:
    exact = Decimal(double_to_string(value))
    if not exact.is_finite():
        raise ValueError(f"Infinite or NaN: {value}")
    return float(_scaled(exact, places, mode(exact))) + 0.0


def _decimal_places(value: Decimal, places: int, mode: Callable[[Decimal], str]) -> Decimal:
    """Rounded, with the scale of the argument: the type does not depend on the value of `places`."""
    scale = value.as_tuple().exponent
    assert isinstance(scale, int)
    return _quantized(_scaled(value, places, mode(value)), scale)


def _no_scale(label: str) -> Callable[[Sequence[ArgType]], T.SqlType]:
    def returns(args: Sequence[ArgType]) -> T.SqlType:
        kind = args[0]
        if not isinstance(kind, T.Decimal) or kind.precision == kind.scale:
            raise StatementError(
                f"Cannot invoke the schema provider method provideDecimalSchema for UDF {label}. "
            )
        return T.Decimal(kind.precision - kind.scale, 0)

    return returns


def _same_decimal(label: str) -> Callable[[Sequence[ArgType]], T.SqlType]:
    def returns(args: Sequence[ArgType]) -> T.SqlType:
        kind = args[0]
        if not isinstance(kind, T.Decimal) or args[1] != T.INTEGER:
            raise StatementError(
                "Cannot invoke the schema provider method provideDecimalSchemaWithDecimalPlaces "
                f"for UDF {label}. "
            )
        return kind

    return returns


def _rounding(
    name: str, label: str, mode: Callable[[Decimal], str], double: Callable[[float], int], text: str
) -> None:
    """Declare ROUND or TRUNC."""

    def whole(value: Any) -> Any:
        if isinstance(value, Decimal):
            return _quantized(value, 0, mode(value))
        return double(value) if isinstance(value, float) else value

    def places(value: Any, decimals: int) -> Any:
        return (_decimal_places if isinstance(value, Decimal) else _double_places)(value, decimals, mode)

    whole.__doc__ = places.__doc__ = text
    maths.scalar(f"{name}(DECIMAL val) -> DECIMAL", returns=_no_scale(label))(whole)
    maths.scalar(f"{name}(DOUBLE val, INT decimalPlaces) -> DOUBLE")(places)
    maths.scalar(f"{name}(DOUBLE val) -> BIGINT")(whole)
    maths.scalar(f"{name}(DECIMAL val, INT decimalPlaces) -> DECIMAL", returns=_same_decimal(label))(places)
    maths.scalar(f"{name}(INT val) -> BIGINT", f"{name}(BIGINT val) -> BIGINT")(whole)


def round_double(value: float) -> int:
    """Math.round: the nearest whole number, halves up."""
    if value != value or abs(value) >= 2.0**52:
        return double_to_long(value)
    down = m.floor(value)
    return down + 1 if value - down >= 0.5 else down


_rounding(
    "ROUND", "Round", _half, round_double, "Rounds to a number of decimal places (0 by default), halves up."
)
_rounding(
    "TRUNC", "trunc", lambda _: ROUND_DOWN, double_to_long, "Cuts a value to a number of decimal places."
)


def widest(args: Sequence[ArgType]) -> T.SqlType:
    """The decimal type that holds all arguments."""
    kinds = [a for a in args if isinstance(a, T.Decimal)]
    scale = max(k.scale for k in kinds)
    return T.Decimal(max(k.precision - k.scale for k in kinds) + scale, scale)


def _choice(name: str, pick: Callable[..., Any], types: Sequence[str], text: str) -> None:
    """Declare GREATEST or LEAST."""

    def make(args: Sequence[ArgType]) -> Callable[..., Any]:
        known = [a for a in args if a is not None]
        first = known[0] if known else T.STRING
        if isinstance(first, T.Array):
            first = first.item
        key = java_key(first) if isinstance(first, T.Primitive) else None

        def choose(*values: Any) -> Any:
            kept = [v for v in values if v is not None]
            return pick(kept, key=key) if kept else None

        return choose

    make.__doc__ = text
    for t in types:
        returns = widest if t == "DECIMAL" else None
        maths.scalar(f"{name}({t} val, {t}... vals) -> {t}", typed=True, sees_null=True, returns=returns)(
            make
        )


_choice(
    "GREATEST",
    max,
    ("TIME", "DATE", "BYTES", "TIMESTAMP", "DECIMAL", "INT", "BIGINT", "DOUBLE", "VARCHAR"),
    "The largest of the values that are not NULL.",
)
_choice(
    "LEAST",
    min,
    ("TIME", "TIMESTAMP", "DECIMAL", "DATE", "BIGINT", "DOUBLE", "VARCHAR", "BYTES", "INT"),
    "The smallest of the values that are not NULL.",
)
