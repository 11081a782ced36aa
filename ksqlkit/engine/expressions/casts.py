"""CAST: which pairs exist and the text of each, null for null."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ksqlkit.dialect import types as T
from ksqlkit.engine.expressions.arithmetic import as_decimal, base_name
from ksqlkit.engine.expressions.code import Code, Names
from ksqlkit.engine.expressions.text import string_function
from ksqlkit.errors import StatementError

# (from, to) -> text over {0}, a value that is not null; an identifier alone is a helper to call.
_SCALAR: dict[tuple[str, str], str] = {
    ("BOOLEAN", "STRING"): "('true' if {0} else 'false')",
    ("INTEGER", "BIGINT"): "{0}",
    ("INTEGER", "DOUBLE"): "float({0})",
    ("INTEGER", "STRING"): "str({0})",
    ("BIGINT", "INTEGER"): "wrap_int",
    ("BIGINT", "DOUBLE"): "float({0})",
    ("BIGINT", "STRING"): "str({0})",
    ("DECIMAL", "INTEGER"): "dec_to_int",
    ("DECIMAL", "BIGINT"): "dec_to_bigint",
    ("DECIMAL", "DOUBLE"): "float({0})",
    ("DECIMAL", "STRING"): "plain_string",
    ("DOUBLE", "INTEGER"): "double_to_int",
    ("DOUBLE", "BIGINT"): "double_to_bigint",
    ("STRING", "BOOLEAN"): "parse_boolean",
    ("STRING", "INTEGER"): "parse_int",
    ("STRING", "BIGINT"): "parse_bigint",
    ("STRING", "DOUBLE"): "parse_double",
    ("STRING", "BYTES"): "parse_bytes",
    ("STRING", "TIMESTAMP"): "cast_timestamp",
    ("STRING", "TIME"): "cast_time",
    ("STRING", "DATE"): "cast_date",
    ("TIMESTAMP", "STRING"): "format_timestamp",
    ("TIMESTAMP", "TIME"): "({0} % 86400000)",
    ("TIMESTAMP", "DATE"): "({0} // 86400000)",
    ("DATE", "TIMESTAMP"): "({0} * 86400000)",
    ("DATE", "STRING"): "format_date",
    ("TIME", "STRING"): "format_time",
}
_TO_DECIMAL = {
    "INTEGER": "whole_to_dec",
    "BIGINT": "whole_to_dec",
    "DECIMAL": "dec_cast",
    "DOUBLE": "double_to_dec",
    "STRING": "string_to_dec",
}
_NEVER_FAIL = {
    "wrap_int",
    "plain_string",
    "double_to_int",
    "double_to_bigint",
    "double_to_string",
    "parse_boolean",
}
_NEVER_FAIL |= {"dec_to_int", "dec_to_bigint", "format_timestamp", "format_date", "format_time"}


@dataclass(frozen=True, slots=True)
class _Body:
    """How a value that is not null is converted. `function` and `rest` are set where that is one call."""

    text: Callable[[str], str]
    raises: bool = False
    function: str | None = None
    rest: str = ""


def _call(function: str, rest: str, raises: bool) -> _Body:
    return _Body(lambda value: f"{function}({value}{rest})", raises, function, rest)


def cast(names: Names, code: Code, target: T.SqlType) -> Code:
    """`code` as `target`, not guarded. Raises StatementError for a pair without a cast."""
    if code.type is None or code.type == target:
        return Code(code.source, target, code.nullable, code.raises, code.call, code.constant)
    body = _body(names, code.type, target)
    if body.text("?") == "?":
        return Code(code.source, target, code.nullable, code.raises, code.call, code.constant)
    raises = body.raises or code.raises
    # A comprehension's source may hold no assignment, so such text is named before.
    if not code.nullable and ":=" not in code.source:
        before, first, value = "", code.source, code.source
    else:
        first, value = names.once(code)
        before = f"None if {first} is None else "
    call = (before, body.function, value + body.rest) if body.function and not code.raises else None
    text = body.text(value)
    return Code(f"({before}{text})" if before else text, target, code.nullable, raises, call)


def _body(names: Names, source: T.SqlType, target: T.SqlType) -> _Body:
    pair = (base_name(source), base_name(target))
    if isinstance(target, T.Decimal) and pair[0] in _TO_DECIMAL:
        return _decimal_body(names, source, target)
    template = _SCALAR.get(pair)
    if pair == ("DOUBLE", "STRING"):
        return _double_text(names.helper("double_to_string"))
    if template is not None:
        if template.isidentifier():
            return _call(names.helper(template), "", template not in _NEVER_FAIL)
        return _Body(template.format)
    if pair[1] == "STRING" and isinstance(source, T.Array | T.Map | T.Struct):
        return _call(names.bind(string_function(source)), "", False)
    if isinstance(target, T.Named):
        raise StatementError(f"Cannot resolve unknown type: {target.name}")
    nested = _nested(names, source, target)
    if nested is None:
        raise StatementError(f"Cast of {source} to {target} is not supported")
    return nested


def _double_text(function: str) -> _Body:
    def text(value: str) -> str:
        if not value.isidentifier():
            return f"{function}({value})"
        return (
            f"(repr({value}) if 0.001 <= {value} < 1e7 else {function}({value}))"  # where both write the same
        )

    return _Body(text)


def _decimal_body(names: Names, source: T.SqlType, target: T.Decimal) -> _Body:
    fits = False
    if source != T.STRING and source != T.DOUBLE:
        given = as_decimal(source)
        fits = (
            given.scale <= target.scale and given.precision - given.scale <= target.precision - target.scale
        )
        if fits and isinstance(source, T.Decimal) and given.scale == target.scale:
            return _Body(str)
    rest = f", {target.precision}, {target.scale}"
    return _call(names.helper(_TO_DECIMAL[base_name(source)]), rest, not fits)


def _nested(names: Names, source: T.SqlType, target: T.SqlType) -> _Body | None:
    item, key = names.temp(), names.temp()
    try:
        if isinstance(source, T.Array) and isinstance(target, T.Array):
            each = cast(names, Code(item, source.item, raises=False), target.item)
            return _Body(lambda value: f"[{each.source} for {item} in {value}]", each.raises)
        if isinstance(source, T.Map) and isinstance(target, T.Map):
            left = cast(names, Code(key, source.key, raises=False), target.key)
            right = cast(names, Code(item, source.value, raises=False), target.value)
            entry = f"{left.source}: {right.source} for {key}, {item}"
            order = names.helper("hash_order") if target.key == T.STRING else ""
            return _Body(
                lambda value: f"{order}({{{entry} in {value}.items()}})", left.raises or right.raises
            )
        if isinstance(source, T.Struct) and isinstance(target, T.Struct):
            return _struct_body(names, source, target, item)
    except StatementError:
        raise StatementError(f"Cast of {source} to {target} is not supported") from None
    return None


def _struct_body(names: Names, source: T.Struct, target: T.Struct, item: str) -> _Body:
    parts: list[str] = []
    raises = False
    for name, kind in target.fields:
        old = source.field(name)
        value = Code("None", kind, raises=False)
        if old is not None:
            value = cast(names, Code(f"{item}[{name!r}]", old, raises=False), kind)
        raises |= value.raises
        parts.append(f"{name!r}: {value.source}")
    # A function of its own, as the value is used once for each field.
    function = f"(lambda {item}: {{{', '.join(parts)}}})"
    return _Body(lambda value: f"{function}({value})", raises)
