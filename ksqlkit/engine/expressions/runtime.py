"""Helpers that generated text calls. Each takes and returns values as `ksqlkit.dialect.types` describes."""

from __future__ import annotations

import base64
import binascii
import decimal
import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ksqlkit.engine.expressions.decimals import (
    dec_add,
    dec_cast,
    dec_div,
    dec_mul,
    dec_neg,
    dec_rem,
    dec_sub,
    double_as_dec,
    double_to_dec,
    parse_decimal,
    string_to_dec,
    whole_to_dec,
)
from ksqlkit.engine.expressions.times import (
    format_date,
    format_time,
    format_timestamp,
    parse_date,
    parse_time,
    parse_timestamp,
)
from ksqlkit.engine.java_numbers import double_to_long, double_to_string, wrap_int, wrap_long
from ksqlkit.engine.serde.java_map import hash_order

__all__ = [
    "dec_add",
    "dec_cast",
    "dec_div",
    "dec_mul",
    "dec_neg",
    "dec_rem",
    "dec_sub",
    "double_as_dec",
    "double_to_dec",
    "double_to_string",
    "format_date",
    "format_time",
    "format_timestamp",
    "hash_order",
    "parse_decimal",
    "string_to_dec",
    "whole_to_dec",
    "wrap_int",
    "wrap_long",
]

_BLANK = "".join(map(chr, range(33)))  # what Java's trim removes
_WHOLE = re.compile(r"[+-]?\d+")
_DOUBLE = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_SIGNED_ORDER = bytes(b ^ 0x80 for b in range(256))


class NullValueError(TypeError):
    """A null met an operation that compiled ksqlDB code does not guard."""


def null_error() -> Any:
    """Raise NullValueError, from inside an expression."""
    raise NullValueError("a null value is used where a value is needed")


def error_text(error: Exception) -> str:
    """What happened, for a log: Python's words for a null operand are replaced by ours."""
    if isinstance(error, TypeError) and "NoneType" in str(error):
        return "a null value is used where a value is needed"
    return str(error) or type(error).__name__


OnError = Callable[[str, Exception], None]


def guarded(function: Callable[..., Any], what: str, on_error: OnError | None) -> Callable[..., Any]:
    """`function`, but with None for an exception, which `on_error` hears of."""

    def safe(*args: Any) -> Any:
        try:
            return function(*args)
        except Exception as error:
            if on_error is not None:
                on_error(what, error)
            return None

    return safe


def attempt(what: str, on_error: OnError | None) -> Callable[[Callable[[], Any]], Any]:
    """Calls a function without arguments; None for an exception, which `on_error` hears of."""

    def safe(thunk: Callable[[], Any]) -> Any:
        try:
            return thunk()
        except Exception as error:
            if on_error is not None:
                on_error(what, error)
            return None

    return safe


def whole_div(a: int, b: int) -> int:
    """a / b towards zero, not yet cut to a width."""
    if b == 0 and a is not None:
        raise ZeroDivisionError("/ by zero")
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def whole_rem(a: int, b: int) -> int:
    """Remainder with the sign of a."""
    if b == 0 and a is not None:
        raise ZeroDivisionError("/ by zero")
    rest = abs(a) % abs(b)
    return -rest if a < 0 else rest


def double_div(a: float, b: float) -> float:
    """a / b by IEEE rules."""
    try:
        return a / b
    except ZeroDivisionError:
        if a == 0 or a != a:
            return math.nan
        return math.copysign(math.inf, a) * math.copysign(1.0, b)


def double_rem(a: float, b: float) -> float:
    """a % b as C's fmod, NaN where that is undefined."""
    try:
        return math.fmod(a, b)
    except ValueError:
        return math.nan


def double_to_int(value: float) -> int:
    """DOUBLE to INTEGER, saturating."""
    return double_to_long(value, 32)


def double_to_bigint(value: float) -> int:
    """DOUBLE to BIGINT, saturating."""
    return double_to_long(value)


def dec_to_int(value: decimal.Decimal) -> int:
    """DECIMAL to INTEGER: towards zero, the low 32 bits."""
    return wrap_int(int(value))


def dec_to_bigint(value: decimal.Decimal) -> int:
    """DECIMAL to BIGINT: towards zero, the low 64 bits."""
    return wrap_long(int(value))


def _parse_whole(text: str, bits: int) -> int:
    if len(text) < 10 and text.isdigit() and text.isascii():
        return int(text)
    trimmed = text.strip(_BLANK)
    if _WHOLE.fullmatch(trimmed):
        value = int(trimmed)
        if -(1 << bits - 1) <= value < 1 << bits - 1:
            return value
    raise ValueError(f'For input string: "{trimmed}"')


def parse_int(text: str) -> int:
    """STRING to INTEGER."""
    return _parse_whole(text, 32)


def parse_bigint(text: str) -> int:
    """STRING to BIGINT."""
    return _parse_whole(text, 64)


def parse_double(text: str) -> float:
    """STRING to DOUBLE; ksqlDB refuses NaN, Infinity and Java's type suffixes."""
    trimmed = text.strip(_BLANK)
    if not _DOUBLE.fullmatch(trimmed):
        raise ValueError(f'For input string: "{trimmed}"')
    return float(trimmed)


def parse_boolean(text: str) -> bool:
    """STRING to BOOLEAN: any beginning of true or yes is true, all else is false."""
    trimmed = text.strip(_BLANK).upper()
    return bool(trimmed) and ("TRUE".startswith(trimmed) or "YES".startswith(trimmed))


def parse_boolean_exact(text: str) -> bool | None:
    """Like parse_boolean, but None for text that is no beginning of false or no either."""
    trimmed = text.strip(_BLANK).upper()
    if parse_boolean(trimmed):
        return True
    return False if trimmed and ("FALSE".startswith(trimmed) or "NO".startswith(trimmed)) else None


def parse_bytes(text: str) -> bytes:
    """STRING to BYTES, from base64."""
    try:
        return base64.b64decode(text.strip(_BLANK) + "=" * (-len(text.strip(_BLANK)) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(f"Illegal base64 text: {error}") from None


def cast_date(text: str) -> int:
    """STRING to DATE."""
    return parse_date(text.strip(_BLANK))


def cast_time(text: str) -> int:
    """STRING to TIME."""
    return parse_time(text.strip(_BLANK))


def cast_timestamp(text: str) -> int:
    """STRING to TIMESTAMP."""
    return parse_timestamp(text.strip(_BLANK))


def array_item(items: list[Any] | None, index: int) -> Any:
    """items[index], from 1, or from the end when negative; None outside."""
    if items is None:
        return None
    position = index - 1 if index >= 0 else len(items) + index
    return items[position] if 0 <= position < len(items) else None


def signed_order(value: bytes) -> bytes:
    """A key that sorts bytes as Java does, byte by byte as signed numbers."""
    return value.translate(_SIGNED_ORDER)


def double_differs(a: float, b: float) -> bool:
    """a <> b; NaN differs from nothing, as in the code that the server compiles."""
    return a < b or a > b


def text_order(a: str, b: str) -> int:
    """-1, 0 or 1 by UTF-16 units, as Java orders strings."""
    if a == b:
        return 0
    if not (a.isascii() or b.isascii()):
        return -1 if a.encode("utf-16-be", "surrogatepass") < b.encode("utf-16-be", "surrogatepass") else 1
    return -1 if a < b else 1


def wrong_class(left: Any, right: Any) -> bool:
    """Fail as Java does when a value of one class is compared with one of another."""
    raise TypeError(f"class {type(right).__name__} cannot be cast to class {type(left).__name__}")


def plain_string(value: Any) -> str:
    """A DECIMAL without exponent."""
    return format(value, "f")


def like_regex(pattern: str, escape: str | None) -> re.Pattern[str]:
    """A LIKE pattern as a regular expression. Raises ValueError where it ends with the escape character."""
    parts: list[str] = []
    escaped = False
    for char in pattern:
        if escaped:
            parts.append(re.escape(char))
            escaped = False
        elif char == escape:
            escaped = True
        elif char in "%_":
            # Java's dot: no line terminator.
            parts.append("[^\\n\\r\\u0085\\u2028\\u2029]" + ("*" if char == "%" else ""))
        else:
            parts.append(re.escape(char))
    if escaped:
        raise ValueError("LIKE pattern must not end with escape character")
    return re.compile("".join(parts))


_cached_regex = lru_cache(maxsize=512)(like_regex)


def like(value: str, pattern: str, escape: str | None = None) -> bool:
    """value LIKE pattern, for a pattern that is not constant."""
    return _cached_regex(pattern, escape).fullmatch(value) is not None


def like_error(pattern: str, escape: str | None) -> Callable[[str], bool]:
    """A matcher for a constant pattern that is no pattern: fails each row, as the server does."""

    def fail(_: str) -> bool:
        like_regex(pattern, escape)
        return False

    return fail
