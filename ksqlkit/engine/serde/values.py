"""Values as Java reads them from text, shared by the text formats.

All raise ValueError with Java's reason.
"""

from __future__ import annotations

import binascii
import decimal
import re
from decimal import Decimal
from typing import Final

from ksqlkit.dialect import types as T

DAY_MILLIS: Final = 86_400_000
INT_MAX: Final = 0x7FFFFFFF
LONG_MAX: Final = 0x7FFFFFFFFFFFFFFF
_INTEGER: Final = re.compile(r"[+-]?\d+")
_DECIMAL: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_WIDE: Final = decimal.Context(prec=decimal.MAX_PREC, traps=[decimal.Inexact, decimal.InvalidOperation])


def parse_integer(text: str, limit: int) -> int:
    """An integer in [-limit - 1, limit], as Integer.parseInt and Long.parseLong read it."""
    if _INTEGER.fullmatch(text):
        value = int(text)
        if -limit - 1 <= value <= limit:
            return value
    raise ValueError(f'For input string: "{text}"')


def parse_decimal(text: str) -> Decimal:
    """A decimal of any size, as `new BigDecimal(text)` reads it; there is no negative zero."""
    if not _DECIMAL.fullmatch(text):
        odd = next((c for c in text if c not in "+-.eE0123456789"), None)
        raise ValueError(
            f"Character {odd} is neither a decimal digit number, decimal point, nor "
            '"e" notation exponential mark.'
            if odd
            else f"Not a decimal number: {text!r}"
        )
    return positive_zero(Decimal(text))


def positive_zero(value: Decimal) -> Decimal:
    """The value; a negative zero loses its sign, for Java's decimals have none."""
    return value if value else value.copy_abs()


def fit_decimal(value: Decimal, kind: T.Decimal) -> Decimal:
    """The same number with exactly the type's scale.

    Raises ValueError where it overflows or needs rounding.
    """
    precision, scale = kind.precision, kind.scale
    if abs(value) >= Decimal(10) ** (precision - scale):
        raise ValueError(
            f"Numeric field overflow: A field with precision {precision} and scale {scale} "
            f"must round to an absolute value less than 10^{precision - scale}. Got {value:f}"
        )
    try:
        return value.quantize(Decimal((0, (1,), -scale)), context=_WIDE)
    except decimal.Inexact:
        digits = value.as_tuple()
        raise ValueError(
            f"Cannot fit decimal '{value:f}' into DECIMAL({precision}, {scale}) without rounding. "
            f"(Requires {len(digits.digits)},{-int(digits.exponent)})"
        ) from None


def parse_time(value: int) -> int:
    """Milliseconds of a day."""
    if 0 <= value <= DAY_MILLIS:
        return value
    raise ValueError(
        f"Time values must use number of milliseconds greater than 0 and less than {DAY_MILLIS}."
    )


def parse_base64(text: str) -> bytes:
    """Bytes from base64 with padding."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"Value is not a valid Base64 encoded string: {text}") from None
