"""Check and convert a column of JSON values to a SQL type. A value that does not fit becomes a `RowError`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import cache, partial
from typing import Any, Final

from udf_server.function import RowError
from udf_server.sqltype import SqlType

Converter = Callable[[Any], Any]

_NONE: Final = type(None)
# Python types that need no conversion, so that a clean column costs one pass in C.
_READY: Final[dict[str, frozenset[type]]] = {
    "DOUBLE": frozenset((float, _NONE)),
    "VARCHAR": frozenset((str, _NONE)),
    "BOOLEAN": frozenset((bool, _NONE)),
}
_INT_BITS: Final = {"INTEGER": 32, "BIGINT": 64, "TIME": 32, "DATE": 32, "TIMESTAMP": 64}


def convert_column(values: list[Any], target: SqlType) -> tuple[list[Any], dict[int, str]]:
    """The column as Python values of the type, and what is wrong with the rows that do not fit."""
    kinds = set(map(type, values))
    if kinds <= _READY.get(target.name, frozenset()):
        return values, {}
    convert = _converter(target)
    if target.name == "DOUBLE" and kinds <= {float, int, _NONE}:
        try:
            return [None if v is None else float(v) for v in values], {}
        except OverflowError:
            pass  # an integer past the range of a double: find its row below
    out: list[Any] = []
    wrong: dict[int, str] = {}
    for row, value in enumerate(values):
        try:
            out.append(None if value is None else convert(value))
        except RowError as error:
            out.append(None)
            wrong[row] = error.message
    return out, wrong


def _refuse(value: Any, target: SqlType | str) -> RowError:
    shown = repr(value)
    return RowError(f"{shown[:40] + '...' if len(shown) > 40 else shown} is no {target}")


def can_fit(values: list[Any], target: SqlType) -> bool:
    """Whether values of such Python types may be of that type at all: a quick look, before a slow one at each."""
    kinds = set(map(type, values))
    if target.name in ("MAP", "STRUCT"):
        return bool(kinds & {dict, _NONE})
    if target.name == "ARRAY":
        return bool(kinds & {list, _NONE})
    return bool(kinds - {dict, list}) or not kinds


@cache
def _converter(target: SqlType) -> Converter:
    name = target.name
    if name in _INT_BITS:
        bound = 1 << (_INT_BITS[name] - 1)
        return lambda v: _integer(v, bound, name)
    if name == "ARRAY":
        item = _nullable(_converter(target.items[0]))
        return lambda v: [item(x) for x in v] if isinstance(v, list) else _raise(v, target)
    if name == "MAP":
        return partial(_map, target, _nullable(_converter(target.items[1])), _READY.get(target.items[1].name))
    if name == "STRUCT":
        if not target.fields:
            return lambda v: v if isinstance(v, dict) else _raise(v, target)
        parts = [(f, _nullable(_converter(t))) for f, t in zip(target.fields, target.items, strict=True)]
        return lambda v: {f: c(v.get(f)) for f, c in parts} if isinstance(v, dict) else _raise(v, target)
    if name == "DECIMAL":
        return lambda v: _decimal(v, target)
    return {"DOUBLE": _double, "VARCHAR": _varchar, "BOOLEAN": _boolean, "BYTES": _bytes}[name]


def _map(target: SqlType, entry: Converter, ready: frozenset[type] | None, value: Any) -> Any:
    if not isinstance(value, dict):
        raise _refuse(value, target)
    if ready is not None and set(map(type, value.values())) <= ready:
        return value
    return {k: entry(x) for k, x in value.items()}


def _nullable(convert: Converter) -> Converter:
    return lambda v: None if v is None else convert(v)


def _raise(value: Any, target: SqlType) -> Any:
    raise _refuse(value, target)


def _integer(value: Any, bound: int, name: str) -> int:
    if type(value) is not int or not -bound <= value < bound:
        raise _refuse(value, name)
    return value


def _double(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _refuse(value, "DOUBLE")
    try:
        return float(value)
    except OverflowError as error:
        raise _refuse(value, "DOUBLE") from error


def _varchar(value: Any) -> str:
    if not isinstance(value, str):
        raise _refuse(value, "VARCHAR")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _refuse(value, "BOOLEAN")
    return value


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise _refuse(value, "BYTES (base64)") from error


def _decimal(value: Any, target: SqlType) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise _refuse(value, target)
    try:
        number = Decimal(str(value)).quantize(Decimal(1).scaleb(-target.scale))
    except InvalidOperation as error:
        raise _refuse(value, target) from error
    if len(number.as_tuple().digits) > target.precision:
        raise _refuse(value, target)
    return number
