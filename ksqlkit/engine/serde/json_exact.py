"""JSON read exactly, the slow and complete way: big numbers, decimals, every coercion and every error of
ksqlDB.

The generated reader (json_read) handles what records normally look like and comes here for the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final, NoReturn

from ksqlkit.dialect import types as T
from ksqlkit.engine.java_numbers import string_to_double, wrap_int, wrap_long
from ksqlkit.engine.serde.errors import SerdeError
from ksqlkit.engine.serde.java_map import hash_order
from ksqlkit.engine.serde.json_text import to_text
from ksqlkit.engine.serde.values import (
    INT_MAX,
    LONG_MAX,
    fit_decimal,
    parse_base64,
    parse_decimal,
    parse_integer,
    parse_time,
    positive_zero,
)

MISSING: Final = object()
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_BRACKETS: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')
_TOKEN: Final = re.compile(r"[A-Za-z_$][\w$]*")
_NODES: Final[dict[type, str]] = {
    str: "TextNode",
    bool: "BooleanNode",
    Decimal: "DecimalNode",
    dict: "ObjectNode",
    list: "ArrayNode",
    object: "MissingNode",
}


class Unfit(Exception):
    """A value that does not convert; `path` grows from the inside out."""

    def __init__(self, reason: str, path: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.paths = [path]

    def inside(self, part: str) -> Unfit:
        """The same error, one level further out."""
        self.paths.append(part + self.paths[-1])
        return self

    @property
    def causes(self) -> tuple[str, ...]:
        """Messages of the chain, outermost first; the first is the whole one."""
        return (*(f"{self.reason}, path: {p}" for p in reversed(self.paths)), self.reason)


def _refuse(token: str) -> NoReturn:
    raise ValueError(
        f"Non-standard token '{token}': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow"
    )


_DECODER: Final = json.JSONDecoder(
    parse_float=lambda text: positive_zero(Decimal(text)), parse_constant=_refuse
)


def parse(data: bytes) -> Any:
    """The first JSON value in the data, floats as Decimal; MISSING when there is none. Raises ValueError.

    As Jackson does, whatever follows the first value is not looked at.
    """
    try:
        return _first(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        head, byte = error.object[: error.start].decode(), error.object[error.start]
    # What is no text may come after the value: a window's time after its key.
    with suppress(ValueError):
        return _first(head + "\ufffd")
    raise ValueError(f"Invalid UTF-8 start byte 0x{byte:x}")


def _first(text: str) -> Any:
    space = _SPACE.match(text)
    start = space.end() if space else 0
    if start == len(text):
        return MISSING
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise ValueError(_reason(text, error)) from None
    if type(value) in (int, Decimal) and not _SPACE.fullmatch(text[end : end + 1]):
        raise ValueError(
            f"Unexpected character ('{text[end]}' (code {ord(text[end])})): "
            "Expected space separating root-level values"
        )
    return value


def _reason(text: str, error: json.JSONDecodeError) -> str:
    """Jackson's words for a parse error of Python's."""
    position, kind = error.pos, error.msg
    if kind.startswith("Unterminated string"):
        return "Unexpected end-of-input in VALUE_STRING"
    if position >= len(text):
        return "Unexpected end-of-input"
    char = f"'{text[position]}' (code {ord(text[position])})"
    if kind.startswith("Invalid control character"):
        return (
            f"Illegal unquoted character ((CTRL-CHAR, code {ord(text[position])})): "
            "has to be escaped using backslash to be included in string value"
        )
    if kind.startswith("Expecting property name"):
        return f"Unexpected character ({char}): was expecting double-quote to start field name"
    if kind == "Expecting ':' delimiter":
        return f"Unexpected character ({char}): was expecting a colon to separate field name and value"
    if kind == "Expecting ',' delimiter":
        inside = "Array" if _open_brackets(text[:position])[-1] == "[" else "Object"
        return f"Unexpected character ({char}): was expecting comma to separate {inside} entries"
    choices = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
    if token := _TOKEN.match(text, position):
        return f"Unrecognized token '{token.group()}': was expecting {choices}"
    return f"Unexpected character ({char}): expected a valid value {choices}"


def _open_brackets(text: str) -> list[str]:
    found: list[str] = []
    for part in _BRACKETS.findall(text):
        if part in ("[", "{"):
            found.append(part)
        elif part in ("]", "}"):
            found.pop()
    return found


def describe(kind: T.SqlType) -> str:
    """The type as ksqlDB's deserializer names it in errors."""
    match kind:
        case T.Array(item):
            return f"ARRAY<{describe(item)}>"
        case T.Map(key, value):
            return f"MAP<{describe(key)}, {describe(value)}>"
        case T.Struct(fields):
            return "STRUCT<" + (", ".join(f"{n} {describe(t)}" for n, t in fields) or " ") + ">"
        case T.Decimal(precision, scale):
            return f"DECIMAL({precision}, {scale})"
    return {"STRING": "VARCHAR", "INTEGER": "INT", "TIME": "INT", "DATE": "INT", "TIMESTAMP": "BIGINT"}.get(
        str(kind), str(kind)
    )


def _mismatch(value: object, required: str) -> ValueError:
    if type(value) is int:
        size = abs(value + 1) if value < 0 else value
        node = "IntNode" if size <= INT_MAX else "LongNode" if size <= LONG_MAX else "BigIntegerNode"
    else:
        node = _NODES[type(value)]
    return ValueError(f"Can't convert type. sourceType: {node}, requiredType: {required}")


def _coerced(text: str, read: Callable[[str], Any], name: str) -> Any:
    try:
        return read(text)
    except ValueError:
        raise ValueError(f"Can't coerce string to type. targetType: {name}") from None


def _boolean(value: Any) -> bool:
    if type(value) is bool:
        return value
    raise _mismatch(value, "BOOLEAN")


def _integer(value: Any) -> int:
    if type(value) in (int, Decimal):
        return wrap_int(int(value))
    if type(value) is str:
        return int(_coerced(value, lambda text: parse_integer(text, INT_MAX), "INTEGER"))
    raise _mismatch(value, "INTEGER")


def _long(value: Any, name: str = "BIGINT") -> int:
    if type(value) in (int, Decimal):
        return wrap_long(int(value))
    if type(value) is str:
        return int(_coerced(value, lambda text: parse_integer(text, LONG_MAX), name))
    raise _mismatch(value, name)


def _double(value: Any) -> float:
    if type(value) in (int, Decimal):
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    if type(value) is str:
        return float(_coerced(value, string_to_double, "DOUBLE"))
    raise _mismatch(value, "DOUBLE")


def _string(value: Any) -> str:
    if type(value) is str:
        return value
    if type(value) is dict:
        return to_text(value)
    if type(value) is list:
        return "[" + ", ".join("null" if v is None else _string(v) for v in value) + "]"
    if type(value) is bool:
        return "true" if value else "false"
    return "" if value is MISSING else str(value)


def _bytes(value: Any) -> bytes:
    if type(value) is str:
        return parse_base64("".join(value.split()))
    raise _mismatch(value, "BYTES")


_PRIMITIVES: Final[dict[T.SqlType, Callable[[Any], Any]]] = {
    T.BOOLEAN: _boolean,
    T.INTEGER: _integer,
    T.BIGINT: _long,
    T.DOUBLE: _double,
    T.STRING: _string,
    T.BYTES: _bytes,
    T.TIME: lambda value: parse_time(_long(value, "TIME")),
    T.DATE: lambda value: wrap_int(_long(value, "DATE")),
    T.TIMESTAMP: lambda value: _long(value, "TIMESTAMP"),
}


def convert(value: Any, kind: T.SqlType, part: str) -> Any:
    """A parsed value as a value of the type; None is null. Raises Unfit with the path below `part`."""
    if value is None:
        return None
    try:
        match kind:
            case T.Primitive():
                return _PRIMITIVES[kind](value)
            case T.Decimal():
                if type(value) in (int, Decimal):
                    return fit_decimal(Decimal(value), kind)
                if type(value) is str:
                    return fit_decimal(parse_decimal(value), kind)
            case T.Array(item) if type(value) is list:
                return [convert(v, item, f"[{i}]") for i, v in enumerate(value)]
            case T.Map(_, item) if type(value) is dict:
                return hash_order({k: convert(v, item, f".{k}.value") for k, v in value.items()})
            case T.Struct(fields) if type(value) is dict:
                upper = {k.upper(): k for k in value}
                return {
                    name: convert(value.get(name if name in value else upper.get(name)), field, f".{name}")
                    for name, field in fields
                }
        raise _mismatch(value, describe(kind))
    except Unfit as error:
        raise error.inside(part) from None
    except ValueError as error:
        raise Unfit(str(error), part) from None


def read(data: bytes, kind: T.SqlType, where: str) -> Any:
    """The value of a record; `where` is "value from topic: t". Raises SerdeError."""
    try:
        return convert(parse(data), kind, "$")
    except Unfit as error:
        causes = error.causes
    except ValueError as error:
        causes = (str(error),)
    except RecursionError:
        causes = ("Document nesting depth exceeds the maximum allowed",)
    raise SerdeError(f"Failed to deserialize {where}. {causes[0]}", causes)
