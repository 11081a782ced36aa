"""Values for a column: expressions without columns, evaluated and coerced as INSERT VALUES does it."""

from __future__ import annotations

import base64
import binascii
import decimal
from collections.abc import Callable
from typing import Any, Final

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import print_expression
from ksqlkit.dialect import types as T
from ksqlkit.engine.analysis import trees
from ksqlkit.engine.expressions import compile_function, infer_type
from ksqlkit.engine.expressions.times import parse_date, parse_time, parse_timestamp
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.errors import StatementError

_RANK: Final = {T.INTEGER: 0, T.BIGINT: 1, T.DOUBLE: 3}
_DECIMAL_RANK: Final = 2
_TIME_HINTS: Final[dict[T.SqlType, str]] = {
    T.TIMESTAMP: ". Timestamp format must be yyyy-mm-ddThh:mm:ss[.S]",
    T.TIME: ". Time format must be hh:mm:ss[.S]",
    T.DATE: ". Date format must be yyyy-mm-dd",
}
_PARSERS: Final[dict[T.SqlType, Callable[[str], Any]]] = {
    T.TIMESTAMP: parse_timestamp,
    T.TIME: parse_time,
    T.DATE: parse_date,
    T.BYTES: lambda text: base64.b64decode(text, validate=True),
}


class Misfit(Exception):
    """The value does not fit the type."""


def evaluate(expr: N.Expression, column: str, target: T.SqlType, functions: Registry, what: str) -> Any:
    """The expression's value as `target`. Raises StatementError where it names columns or does not fit."""
    if isinstance(expr, N.NullLiteral):
        return None
    if isinstance(expr, N.StructConstructor) and not expr.fields:
        return coerce({}, T.Struct(()), target)
    if any(isinstance(part, N.ColumnRef) for part in trees.walk(expr)):
        raise StatementError(f"Unsupported column reference in {what}: {print_expression(expr, quote=False)}")
    source = infer_type(expr, {}, functions)
    try:
        value = compile_function([expr], (), functions)(())[0]
    except StatementError:
        raise
    except Exception as error:
        raise StatementError(f"Failed to evaluate {print_expression(expr)}: {error}") from error
    try:
        return coerce(value, source, target)
    except Misfit:
        hint = _TIME_HINTS.get(target, "") if source == T.STRING else ""
        kind = source.name if isinstance(source, T.Primitive) else type(source).__name__.upper()
        raise StatementError(
            f"Expected type {target} for field `{column}` but got {kind}({shown(value)}){hint}"
        ) from None


def coerce(value: Any, source: T.SqlType | None, target: T.SqlType) -> Any:
    """A value of one type as another, upwards only. Raises Misfit."""
    if value is None:
        return None
    if source == target:
        return value
    match target:
        case T.Array(item) if isinstance(source, T.Array):
            return [coerce(v, source.item, item) for v in value]
        case T.Map(key, item) if isinstance(source, T.Map):
            return {coerce(k, source.key, key): coerce(v, source.value, item) for k, v in value.items()}
        case T.Struct(fields) if isinstance(source, T.Struct):
            return {n: coerce(value.get(n), source.field(n), t) for n, t in fields}
    if source == T.STRING and target in _PARSERS:
        try:
            return _PARSERS[target](value)
        except (ValueError, binascii.Error):
            raise Misfit from None
    return _coerce_number(value, source, target)


def _coerce_number(value: Any, source: T.SqlType | None, target: T.SqlType) -> Any:
    have = _DECIMAL_RANK if isinstance(source, T.Decimal) else _RANK.get(source)  # type: ignore[arg-type]
    want = _DECIMAL_RANK if isinstance(target, T.Decimal) else _RANK.get(target)  # type: ignore[arg-type]
    if have is None or want is None or have > want:
        raise Misfit
    if isinstance(target, T.Decimal):
        return fit_decimal(decimal.Decimal(value), target)
    return float(value) if target == T.DOUBLE else value


def fit_decimal(value: decimal.Decimal, target: T.Decimal) -> decimal.Decimal:
    """The value with the type's scale. Raises StatementError when it has too many digits."""
    with decimal.localcontext(prec=max(target.precision, len(value.as_tuple().digits)) + target.scale + 2):
        fitted = value.quantize(decimal.Decimal(1).scaleb(-target.scale), rounding=decimal.ROUND_HALF_UP)
    if len(fitted.as_tuple().digits) > target.precision and abs(fitted) >= 10 ** (
        target.precision - target.scale
    ):
        raise StatementError(
            f"Numeric field overflow: A field with precision {target.precision} and scale {target.scale} must "
            f"round to an absolute value less than 10^{target.precision - target.scale}. Got {value}"
        )
    return fitted


def shown(value: Any) -> str:
    """A value as Java prints it in messages."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(shown(v) for v in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{shown(k)}={shown(v)}" for k, v in value.items()) + "}"
    return str(value)
