"""Arithmetic: result types and text. A null operand raises, as the server's compiled code does."""

from __future__ import annotations

import decimal
import re

from ksqlkit.dialect import types as T
from ksqlkit.engine.expressions.code import Code, Names
from ksqlkit.errors import StatementError

_ORDER: dict[T.SqlType, int] = {T.INTEGER: 0, T.BIGINT: 1, T.DOUBLE: 3}
_UPCAST: dict[T.SqlType, T.Decimal] = {T.INTEGER: T.Decimal(10, 0), T.BIGINT: T.Decimal(19, 0)}
_LIMITS: dict[T.SqlType, tuple[str, str, str]] = {
    T.INTEGER: ("-2147483648", "2147483647", "wrap_int"),
    T.BIGINT: ("-9223372036854775808", "9223372036854775807", "wrap_long"),
}
_NUMBER = re.compile(r"[\d.]+(?:e[+-]?\d+)?")
_DECIMAL_HELPER = {"+": "dec_add", "-": "dec_sub", "*": "dec_mul", "/": "dec_div", "%": "dec_rem"}


def rank(t: T.SqlType) -> int:
    """Position in INTEGER < BIGINT < DECIMAL < DOUBLE."""
    return 2 if isinstance(t, T.Decimal) else _ORDER[t]


def as_decimal(t: T.SqlType) -> T.Decimal:
    """The decimal type an exact numeric type converts to without loss."""
    return t if isinstance(t, T.Decimal) else _UPCAST[t]


def base_name(t: T.SqlType | None) -> str:
    """Name of a type without its parameters, as messages show it."""
    if t is None:
        return "null"
    return t.name if isinstance(t, T.Primitive) else type(t).__name__.upper()


def widen(a: T.SqlType, b: T.SqlType) -> T.SqlType:
    """The narrowest numeric type that holds both."""
    if T.DOUBLE in (a, b):
        return T.DOUBLE
    if isinstance(a, T.Decimal) or isinstance(b, T.Decimal):
        x, y = as_decimal(a), as_decimal(b)
        scale = max(x.scale, y.scale)
        return T.Decimal(max(x.precision - x.scale, y.precision - y.scale) + scale, scale)
    return max(a, b, key=rank)


def result_type(op: str, left: T.SqlType | None, right: T.SqlType | None) -> T.SqlType:
    """Type of `left op right`. Raises StatementError with the server's reason."""
    if left is None or right is None:
        shown = ["null" if t is None else str(t) for t in (left, right)]
        raise StatementError(f"Arithmetic on types {shown[0]} and {shown[1]} are not supported.")
    if op == "+" and left == right == T.STRING:
        return T.STRING
    if not (T.is_numeric(left) and T.is_numeric(right)):
        raise StatementError(f"Unsupported arithmetic types. {base_name(left)} {base_name(right)}")
    if T.DOUBLE in (left, right) or not (isinstance(left, T.Decimal) or isinstance(right, T.Decimal)):
        return max(left, right, key=rank)
    return _decimal_type(op, as_decimal(left), as_decimal(right))


def _decimal_type(op: str, a: T.Decimal, b: T.Decimal) -> T.Decimal:
    whole_a, whole_b = a.precision - a.scale, b.precision - b.scale
    scale = max(a.scale, b.scale)
    if op in "+-":
        return T.Decimal(scale + max(whole_a, whole_b) + 1, scale)
    if op == "*":
        return T.Decimal(a.precision + b.precision + 1, a.scale + b.scale)
    if op == "/":
        scale = max(6, a.scale + b.precision + 1)
        return T.Decimal(whole_a + b.scale + scale, scale)
    return T.Decimal(min(whole_a, whole_b) + scale, scale)


def binary(names: Names, op: str, left: Code, right: Code) -> Code:
    """`left op right` with whole results wrapped to their width."""
    kind = result_type(op, left.type, right.type)
    if kind == T.STRING:
        bare = f"{left.bare or _text(names, left)} + {_text(names, right)}"
        return Code(f"({bare})", kind, False, left.raises or right.raises, bare=bare)
    if isinstance(kind, T.Decimal):
        return Code(_decimal(names, op, kind, left, right), kind, False)
    if kind == T.DOUBLE:
        return Code(_double(names, op, left, right), kind, False)
    if op in "+-*":
        return wrapped(names, f"{_left(left, kind, op)} {op} {_right(right, kind)}", kind, op)
    return _whole_division(names, op, kind, left, right)


def _left(side: Code, kind: T.SqlType, op: str) -> str:
    # A chain of one width is cut to that width only at its end.
    if side.bare is None or side.type != kind:
        return side.source
    return f"({side.bare})" if op == "*" and side.chain != "*" else side.bare


def _right(side: Code, kind: T.SqlType) -> str:
    return side.source if side.bare is None or side.type != kind else f"({side.bare})"


def wrapped(names: Names, source: str, kind: T.SqlType, op: str) -> Code:
    """A whole number cut to the width of its type; costs a range check unless it overflows."""
    low, high, wrap = _LIMITS[kind]
    temp = names.temp()
    helper = names.helper(wrap)
    text = f"({temp} if {low} <= ({temp} := {source}) <= {high} else {helper}({temp}))"
    return Code(text, kind, nullable=False, bare=source, chain=op)


def _text(names: Names, code: Code) -> str:
    # Java concatenates a null reference as the text null.
    if not code.nullable:
        return code.source
    first, again = names.once(code)
    return f"('null' if {first} is None else {again})"


def _whole_division(names: Names, op: str, kind: T.SqlType, left: Code, right: Code) -> Code:
    helper = names.helper({"/": "whole_div", "%": "whole_rem"}[op])
    python = "//" if op == "/" else "%"
    wrap = _LIMITS[kind][2]
    if not right.atomic:
        slow = f"{helper}({left.source}, {right.source})"
        return Code(f"{names.helper(wrap)}({slow})" if op == "/" else slow, kind, False)
    a, again_a = names.once(left)
    b = right.source
    if right.constant and b.isdigit() and int(b) > 0:
        fast = f"{again_a} {python} {b} if {a} >= 0"
        return Code(f"({fast} else {helper}({again_a}, {b}))", kind, False)
    slow = f"{helper}({again_a}, {b})"
    if op == "/":
        slow = f"{names.helper(wrap)}({slow})"
    return Code(f"({again_a} {python} {b} if {a} >= 0 < {b} else {slow})", kind, False)


def _double(names: Names, op: str, left: Code, right: Code) -> str:
    a, b = _as_double(names, left), _as_double(names, right)
    if op in "+-*":
        return f"({a} {op} {b})"
    if op == "%":
        return f"{names.helper('double_rem')}({a}, {b})"
    if _NUMBER.fullmatch(b) and float(b):
        return f"({a} / {b})"
    slow = f"{names.helper('double_div')}({a}, {b})"
    if a.isidentifier() and b.isidentifier():
        return f"({a} / {b} if {b} else {slow})"
    return slow


def _as_double(names: Names, code: Code) -> str:
    if code.type == T.DOUBLE:
        return code.source
    known = names.bound.get(code.source)
    if code.constant or known is not None:
        value = float(known if isinstance(known, decimal.Decimal) else int(code.source.strip("()")))
        return repr(value) if value >= 0 else f"({value!r})"
    # Python widens an int next to a float exactly where it has 32 bits.
    return code.source if code.type == T.INTEGER else f"float({code.source})"


def _decimal(names: Names, op: str, kind: T.Decimal, left: Code, right: Code) -> str:
    call = f"{names.helper(_DECIMAL_HELPER[op])}({left.source}, {right.source}"
    return call + (")" if op in "+-*" else f", {kind.precision}, {kind.scale})")


def signed(names: Names, sign: str, operand: Code) -> Code:
    """-x or +x."""
    kind = operand.type
    if kind is None or not T.is_numeric(kind):
        raise StatementError(f"Unsupported arithmetic type for sign {sign}: {base_name(kind)}.")
    if sign == "+":
        # Unboxing a null raises in compiled code, also for unary plus.
        first, again = names.once(operand)
        return (
            Code(f"({again} if {first} is not None else {names.helper('null_error')}())", kind, False)
            if operand.nullable
            else operand
        )
    if isinstance(kind, T.Decimal):
        return Code(f"{names.helper('dec_neg')}({operand.source})", kind, False)
    if kind == T.DOUBLE:
        return Code(f"(-{operand.source})", kind, False)
    return wrapped(names, f"-{operand.source}", kind, "*")
