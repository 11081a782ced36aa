"""Values of JSON lines and Parquet files as the values of a column: one function per SQL type.

What ksqlDB would turn into something else without a word (1.5 in an INTEGER column is 1, 2^40 is 0), or refuse when a
query reads it, is refused here, before anything is written.
"""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import math
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from ksqlkit.dialect import types as T
from ksqlkit.loading.readers import days, millis_of_day, to_millis

Fit = Callable[[Any], Any]


def fitter(kind: T.SqlType) -> Fit:
    """From a file's value to one of an SQL type. The function raises ValueError or TypeError for what does not fit.

    Times become the numbers that the engine has, BYTES bytes, DECIMAL decimal.Decimal; null and NaN are null.
    """
    match kind:
        case T.Array(item):
            return _nullable(_array(fitter(item)))
        case T.Map(_, item):
            return _nullable(_map(fitter(item)))
        case T.Struct(parts):
            return _nullable(_struct({name: fitter(part) for name, part in parts}))
        case T.Decimal(precision, scale):
            return _nullable(_decimal(precision, scale))
    return _nullable(_PLAIN[str(kind)])


def insertable(kind: T.SqlType) -> Fit:
    """From a fitted value that is not null to what a ksqlDB's inserts take: times, decimals and bytes as texts."""
    match kind:
        case T.Array(item):
            write = insertable(item)
            return lambda value: [None if v is None else write(v) for v in value]
        case T.Map(_, item):
            write = insertable(item)
            return lambda value: {k: None if v is None else write(v) for k, v in value.items()}
        case T.Struct(parts):
            writers = {name: insertable(part) for name, part in parts}
            return lambda value: {n: None if v is None else writers[n](v) for n, v in value.items()}
        case T.Decimal():
            return lambda value: format(value, "f")
    return _TEXTS.get(str(kind), lambda value: value)


_EPOCH = dt.datetime(1970, 1, 1)
_TEXTS: dict[str, Fit] = {
    "TIMESTAMP": lambda value: (_EPOCH + dt.timedelta(milliseconds=value)).isoformat(timespec="milliseconds"),
    "DATE": lambda value: (_EPOCH.date() + dt.timedelta(days=value)).isoformat(),
    "TIME": lambda value: (
        (_EPOCH + dt.timedelta(milliseconds=value)).time().isoformat(timespec="milliseconds")
    ),
    "BYTES": lambda value: base64.b64encode(value).decode(),
}


def _nullable(fit: Fit) -> Fit:
    def run(value: Any) -> Any:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        return fit(value)

    return run


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        raise TypeError
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    return orjson.dumps(value).decode()  # as ksqlDB reads a number, true or a list in a STRING column


def _whole(bits: int) -> Fit:
    limit = 1 << bits - 1

    def run(value: Any) -> int:
        if isinstance(value, bool):
            raise TypeError
        if isinstance(value, dt.datetime):
            value = to_millis(value)
        number = int(value)
        if not -limit <= number < limit or (not isinstance(value, str) and number != value):
            raise ValueError
        return number

    return run


def _double(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def _decimal(precision: int, scale: int) -> Fit:
    limit = decimal.Decimal(10) ** (precision - scale)

    def run(value: Any) -> decimal.Decimal:
        if isinstance(value, bool):
            raise TypeError
        try:
            number = decimal.Decimal(repr(value) if isinstance(value, float) else value)
        except decimal.InvalidOperation:
            raise ValueError from None
        if not number.is_finite() or abs(number) >= limit:
            raise ValueError
        return number

    return run


def _boolean(value: Any) -> bool:
    found = {True: True, False: False, "true": True, "false": False}
    if not isinstance(value, bool | str):
        raise TypeError
    try:
        return found[value.lower() if isinstance(value, str) else value]
    except KeyError:
        raise ValueError from None


def _timestamp(value: Any) -> int:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day)
    return to_millis(value)


def _date(value: Any) -> int:
    if isinstance(value, dt.datetime):
        value = value.date()
    return value if _is_number(value) else days(str(value))


def _time(value: Any) -> int:
    return value if _is_number(value) else millis_of_day(str(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else base64.b64decode(value, validate=True)


def _array(fit: Fit) -> Fit:
    def run(value: Any) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise TypeError
        return [fit(item) for item in value]

    return run


def _map(fit: Fit) -> Fit:
    def run(value: Any) -> dict[str, Any]:
        pairs = value.items() if isinstance(value, Mapping) else value  # Parquet's maps come as pairs
        if isinstance(pairs, str):
            raise TypeError
        return {_string(key): fit(item) for key, item in pairs}

    return run


def _struct(fits: Mapping[str, Fit]) -> Fit:
    def run(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise TypeError
        given = {str(name).upper(): item for name, item in value.items()}
        return {name: fit(given.get(name.upper())) for name, fit in fits.items()}

    return run


_PLAIN: dict[str, Fit] = {
    "BOOLEAN": _boolean,
    "INTEGER": _whole(32),
    "BIGINT": _whole(64),
    "DOUBLE": _double,
    "STRING": _string,
    "BYTES": _bytes,
    "TIMESTAMP": _timestamp,
    "DATE": _date,
    "TIME": _time,
}

# A Parquet column's kind -> the SQL types that it can be; a value may still be too large.
_KINDS: dict[str, frozenset[str]] = {
    "string": frozenset({"STRING", "TIMESTAMP", "DATE", "TIME"}),
    "integer": frozenset({"STRING", "INTEGER", "BIGINT", "DOUBLE", "DECIMAL", "TIMESTAMP", "DATE", "TIME"}),
    "floating": frozenset({"STRING", "INTEGER", "BIGINT", "DOUBLE", "DECIMAL"}),
    "decimal": frozenset({"STRING", "INTEGER", "BIGINT", "DOUBLE", "DECIMAL"}),
    "boolean": frozenset({"STRING", "BOOLEAN"}),
    "timestamp": frozenset({"STRING", "BIGINT", "TIMESTAMP", "DATE"}),
    "date": frozenset({"STRING", "TIMESTAMP", "DATE"}),
    "time": frozenset({"STRING", "TIME"}),
    "binary": frozenset({"BYTES"}),
    "list": frozenset({"ARRAY"}),
    "map": frozenset({"MAP"}),
    "struct": frozenset({"STRUCT", "MAP"}),
}


def can_be(arrow: Any, kind: T.SqlType) -> bool:
    """Whether a Parquet column of an Arrow type can be a column of an SQL type."""
    import pyarrow.types as is_

    if is_.is_dictionary(arrow):
        return can_be(arrow.value_type, kind)
    name = str(kind).partition("<")[0].partition("(")[0]
    known = any(
        test(arrow) and name in _KINDS[word]
        for word, test in (
            ("string", lambda t: is_.is_string(t) or is_.is_large_string(t)),
            ("integer", is_.is_integer),
            ("floating", is_.is_floating),
            ("decimal", is_.is_decimal),
            ("boolean", is_.is_boolean),
            ("timestamp", is_.is_timestamp),
            ("date", is_.is_date),
            ("time", is_.is_time),
            ("binary", lambda t: is_.is_binary(t) or is_.is_large_binary(t) or is_.is_fixed_size_binary(t)),
            ("list", lambda t: is_.is_list(t) or is_.is_large_list(t) or is_.is_fixed_size_list(t)),
            ("map", is_.is_map),
            ("struct", is_.is_struct),
        )
    )
    return is_.is_null(arrow) or (known and _inside(arrow, kind))


def _inside(arrow: Any, kind: T.SqlType) -> bool:
    """The same of what an array, map or struct holds."""
    match kind:
        case T.Array(item):
            return can_be(arrow.value_type, item)
        case T.Map(_, item):
            parts = [arrow.item_type] if hasattr(arrow, "item_type") else [f.type for f in arrow]
            return all(can_be(part, item) for part in parts)
        case T.Struct(parts):
            given = {f.name.upper(): f.type for f in arrow}
            return all(can_be(given[n.upper()], part) for n, part in parts if n.upper() in given)
    return True
