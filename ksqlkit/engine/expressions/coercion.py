"""One type for a list the user wrote: ARRAY and MAP constructors, IN. The first typed element leads."""

from __future__ import annotations

import decimal
from collections.abc import Callable, Sequence

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import types as T
from ksqlkit.engine.expressions import runtime
from ksqlkit.engine.expressions.arithmetic import base_name, widen
from ksqlkit.engine.expressions.code import shown
from ksqlkit.engine.java_numbers import double_to_string
from ksqlkit.errors import StatementError

TypeOf = Callable[[N.Expression], T.SqlType | None]
LITERALS = (
    N.BooleanLiteral,
    N.IntegerLiteral,
    N.LongLiteral,
    N.DecimalLiteral,
    N.DoubleLiteral,
    N.StringLiteral,
    N.NullLiteral,
)
_TEXT_ONLY = (T.TIME, T.DATE, T.TIMESTAMP, T.BYTES)


def decimal_type(value: decimal.Decimal) -> T.Decimal:
    """DECIMAL type of a literal: values within (-1, 1) have one digit before the point."""
    exponent = value.as_tuple().exponent
    scale = max(-int(exponent), 0)
    if value.copy_abs() < 1:
        return T.Decimal(scale + 1, scale)
    digits = len(value.as_tuple().digits) + max(int(exponent), 0)
    return T.Decimal(max(digits, scale + 1), scale)


def coerce_list(
    items: Sequence[N.Expression], type_of: TypeOf
) -> tuple[T.SqlType | None, list[N.Expression]]:
    """The common type (None if there are only NULLs) and the items, converted to it. Raises StatementError."""
    common = _common(items, type_of, None)
    if common is None:
        return None, list(items)
    return common, [_convert(item, type_of(item), common) for item in items]


def _common(items: Sequence[N.Expression], type_of: TypeOf, common: T.SqlType | None) -> T.SqlType | None:
    for item in items:
        kind = type_of(item)
        if common is None:
            common = kind
        elif kind is not None:
            common = _join(item, kind, common, type_of)
    return common


def _join(item: N.Expression, kind: T.SqlType, common: T.SqlType, type_of: TypeOf) -> T.SqlType:
    match item:
        case N.ArrayConstructor(items=items) if isinstance(common, T.Array):
            return T.Array(_common(items, type_of, common.item) or common.item)
        case N.MapConstructor(entries=entries) if isinstance(common, T.Map):
            key = _common([k for k, _ in entries], type_of, common.key)
            value = _common([v for _, v in entries], type_of, common.value)
            return T.Map(key or common.key, value or common.value)
        case N.StructConstructor(fields=fields) if isinstance(common, T.Struct):
            return _join_struct(fields, common, type_of)
        case N.StringLiteral(value=value) if T.is_numeric(common):
            return _join_numeric_text(value, common)
        case N.StringLiteral(value=value) if common == T.BOOLEAN:
            if runtime.parse_boolean_exact(value) is None:
                raise _invalid(value, common)
            return common
    joined = _coerce(kind, common, isinstance(item, LITERALS))
    joined = joined or _coerce(common, kind, isinstance(item, LITERALS))
    if joined is None:
        raise StatementError(
            f"operator does not exist: {common} = {kind} ({shown(item)})\n"
            "Hint: You might need to add explicit type casts."
        )
    return joined


def _join_struct(fields: Sequence[tuple[str, N.Expression]], common: T.Struct, type_of: TypeOf) -> T.Struct:
    mine = dict(fields)
    names = list(dict.fromkeys([*mine, *(n for n, _ in common.fields)]))
    joined: list[tuple[str, T.SqlType]] = []
    for name in names:
        theirs = common.field(name)
        kind = _common([mine[name]], type_of, theirs) if name in mine else theirs
        if kind is None:
            raise StatementError(f"Field {name} has no type: cast the NULL to the desired type.")
        joined.append((name, kind))
    return T.Struct(tuple(joined))


def _join_numeric_text(text: str, common: T.SqlType) -> T.SqlType:
    try:
        value = runtime.parse_decimal(text.strip())
    except ValueError:
        raise _invalid(text, common) from None
    kind: T.SqlType = decimal_type(value)
    if not any(c in text for c in ".eE"):
        whole = int(value)
        # The limits themselves count as too large, as on the server.
        if 0 <= abs(whole) < 2**31 - 1:
            kind = T.INTEGER
        elif abs(whole) < 2**63 - 1:
            kind = T.BIGINT
    return widen(kind, common)


def _invalid(text: str, kind: T.SqlType) -> StatementError:
    return StatementError(f'invalid input syntax for type {base_name(kind)}: "{text}".')


def _coerce(source: T.SqlType, target: T.SqlType, literal: bool) -> T.SqlType | None:
    if source == target:
        return target
    if T.is_numeric(source) and T.is_numeric(target):
        return widen(source, target)
    if target == T.STRING:
        return target if literal else None
    if source == T.STRING and target in _TEXT_ONLY:
        return target if literal else None
    if isinstance(source, T.Array) and isinstance(target, T.Array):
        item = _coerce(source.item, target.item, literal)
        return item and T.Array(item)
    if isinstance(source, T.Map) and isinstance(target, T.Map):
        key, value = _coerce(source.key, target.key, literal), _coerce(source.value, target.value, literal)
        return T.Map(key, value) if key and value else None
    if isinstance(source, T.Struct) and isinstance(target, T.Struct):
        return _coerce_struct(source, target, literal)
    return None


def _coerce_struct(source: T.Struct, target: T.Struct, literal: bool) -> T.SqlType | None:
    names = list(dict.fromkeys([*(n for n, _ in source.fields), *(n for n, _ in target.fields)]))
    fields: list[tuple[str, T.SqlType]] = []
    for name in names:
        a, b = source.field(name), target.field(name)
        kind = _coerce(a, b, literal) if a and b else a or b
        if kind is None:
            return None
        fields.append((name, kind))
    return T.Struct(tuple(fields))


def _convert(item: N.Expression, kind: T.SqlType | None, target: T.SqlType) -> N.Expression:
    if kind is None or kind == target:
        return item
    if not isinstance(item, LITERALS) or isinstance(item, N.NullLiteral):
        return N.Cast(item, target)
    if target in _TEXT_ONLY:
        # The server splices the text into Java code, where 2020-01-10 is 2009: refuse what it gets wrong.
        raise StatementError(
            f"A text next to {target} values is not converted here: {shown(item)}.",
            hint=f"Write CAST({shown(item)} AS {target}).",
        )
    text = _literal_text(item)
    try:
        if target == T.STRING:
            return N.StringLiteral(text)
        if target == T.BOOLEAN:
            return N.BooleanLiteral(runtime.parse_boolean(text))
        if isinstance(target, T.Decimal):
            return N.DecimalLiteral(runtime.string_to_dec(text, target.precision, target.scale))
        if target == T.DOUBLE:
            return N.DoubleLiteral(float(text))
        return N.LongLiteral(int(text)) if target == T.BIGINT else N.IntegerLiteral(int(text))
    except (ArithmeticError, ValueError):
        raise _invalid(text, target) from None


def _literal_text(item: N.Expression) -> str:
    """Text of a literal as a STRING of its value."""
    match item:
        case N.BooleanLiteral(value=value):
            return "true" if value else "false"
        case N.DoubleLiteral(value=number):
            return double_to_string(number)
        case N.DecimalLiteral(value=exact):
            return format(exact, "f")
        case N.IntegerLiteral(value=whole) | N.LongLiteral(value=whole):
            return str(whole)
        case N.StringLiteral(value=text):
            return text.strip()
    raise StatementError(f"{shown(item)} has no text.")
