"""CAST: which pairs exist and the text of each, null for null."""

from __future__ import annotations

from collections.abc import Callable

from ksqlkit.dialect import types as T
from ksqlkit.engine.expressions.arithmetic import base_name
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
    ("DECIMAL", "DOUBLE"): "float({0})",
    ("DECIMAL", "STRING"): "plain_string",
    ("DOUBLE", "INTEGER"): "double_to_int",
    ("DOUBLE", "BIGINT"): "double_to_bigint",
    ("DOUBLE", "STRING"): "double_to_string",
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
_NEVER_FAIL |= {"format_timestamp", "format_date", "format_time"}


def cast(names: Names, code: Code, target: T.SqlType) -> Code:
    """`code` as `target`, not guarded. Raises StatementError for a pair without a cast."""
    if code.type is None or code.type == target:
        return Code(code.source, target, code.nullable, code.raises, code.call, code.constant)
    body, raises = _body(names, code.type, target)
    if body.isidentifier():
        null_safe = body.endswith("_or_none")
        return _apply(names, code, target, lambda value: f"{body}({value})", raises, body, null_safe)
    return _apply(names, code, target, body.format, raises, None, False)


def _apply(
    names: Names,
    code: Code,
    target: T.SqlType,
    body: Callable[[str], str],
    raises: bool,
    function: str | None,
    null_safe: bool,
) -> Code:
    # A comprehension's source may hold no assignment, so such text is named before.
    if not (code.nullable or ":=" in code.source) or null_safe:
        call = (function, code.source) if function and not code.raises else None
        return Code(body(code.source), target, code.nullable, raises or code.raises, call)
    first, again = names.once(code)
    text = body(again)
    if text == again:
        return Code(code.source, target, code.nullable, code.raises, code.call)
    return Code(f"(None if {first} is None else {text})", target, True, raises or code.raises)


def _body(names: Names, source: T.SqlType, target: T.SqlType) -> tuple[str, bool]:
    """Text over {0} (or the name of a function) for a value that is not null, and whether it can raise."""
    pair = (base_name(source), base_name(target))
    if isinstance(target, T.Decimal) and pair[0] in _TO_DECIMAL:
        return f"{names.helper(_TO_DECIMAL[pair[0]])}({{0}}, {target.precision}, {target.scale})", True
    if pair in (("DECIMAL", "INTEGER"), ("DECIMAL", "BIGINT")):
        return f"{names.helper('wrap_int' if pair[1] == 'INTEGER' else 'wrap_long')}(int({{0}}))", False
    template = _SCALAR.get(pair)
    if template is not None:
        if template.isidentifier():
            return names.helper(template), template not in _NEVER_FAIL
        return template, False
    if pair[1] == "STRING" and isinstance(source, T.Array | T.Map | T.Struct):
        return names.bind(string_function(source)), False
    nested = _nested(names, source, target)
    if nested is None:
        raise StatementError(f"Cast of {source} to {target} is not supported")
    return nested


def _nested(names: Names, source: T.SqlType, target: T.SqlType) -> tuple[str, bool] | None:
    item, key = names.temp(), names.temp()
    try:
        if isinstance(source, T.Array) and isinstance(target, T.Array):
            each = cast(names, Code(item, source.item, raises=False), target.item)
            return f"[{_escape(each.source)} for {item} in {{0}}]", each.raises
        if isinstance(source, T.Map) and isinstance(target, T.Map):
            left = cast(names, Code(key, source.key, raises=False), target.key)
            right = cast(names, Code(item, source.value, raises=False), target.value)
            body = f"{{{_escape(left.source)}: {_escape(right.source)} for {key}, {item} in {{0}}.items()}}"
            return body.replace("{", "{{", 1)[:-1] + "}}", left.raises or right.raises
        if isinstance(source, T.Struct) and isinstance(target, T.Struct):
            fields: list[str] = []
            raises = False
            for name, kind in target.fields:
                old = source.field(name)
                if old is None:
                    fields.append(f"{name!r}: None")
                    continue
                value = cast(names, Code(f"{item}[{name!r}]", old, raises=False), kind)
                raises |= value.raises
                fields.append(f"{name!r}: {value.source}")
            # A function of its own: the value is used once for each field.
            return "(lambda " + item + ": {{" + _escape(", ".join(fields)) + "}})({0})", raises
    except StatementError:
        raise StatementError(f"Cast of {source} to {target} is not supported") from None
    return None


def _escape(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
