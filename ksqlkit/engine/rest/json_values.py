"""Rows of JSON members into a source's column values, as /inserts-stream reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.catalog import DataSource
from ksqlkit.engine.statements.values import Misfit, coerce, fit_decimal
from ksqlkit.errors import DataError

Reader = Callable[[Any], Any]
_TEXTUAL: Final = frozenset((T.BYTES, T.TIME, T.DATE, T.TIMESTAMP))
_JAVA: Final = {
    str: "java.lang.String",
    bool: "java.lang.Boolean",
    float: "java.lang.Double",
    list: "io.vertx.core.json.JsonArray",
    dict: "io.vertx.core.json.JsonObject",
}


class RowReader:
    """Makes typed rows for one source; members are named in any case, or exactly within back-quotes."""

    def __init__(self, source: DataSource) -> None:
        self._key = [c.name for c in source.schema.key]
        self._readers = {c.name: (c.type, reader(c.type)) for c in source.schema.columns if c.header is None}

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The values by column name; members that are no columns are left out. Raises DataError."""
        given = {column_name(name): value for name, value in row.items()}
        missing = next((name for name in self._key if given.get(name) is None), None)
        if missing is not None:
            raise DataError(f"Key field must be specified: {missing}")
        typed = {}
        for name, (kind, read) in self._readers.items():
            value = given.get(name)
            if value is None:
                continue
            try:
                typed[name] = read(value)
            except Misfit:
                raise DataError(
                    f"Can't coerce a field of type class {_java_class(value)} into type {kind}"
                ) from None
        return typed


def column_name(name: str) -> str:
    """The column a member means."""
    if len(name) > 2 and name[0] == name[-1] and name[0] in '`"':
        return name[1:-1]
    return name.upper()


def reader(kind: T.SqlType) -> Reader:
    """A function from a JSON value that is not null to a value of the type; it raises Misfit."""
    match kind:
        case T.Array(item):
            return _array(_or_null(reader(item)))
        case T.Map(key, value):
            return _map(reader(key) if key != T.STRING else str, _or_null(reader(value)))
        case T.Struct(fields):
            return _struct({name: _or_null(reader(t)) for name, t in fields})
        case T.Decimal():
            return lambda value: _decimal(value, kind)
    if kind in _TEXTUAL:
        return lambda value: coerce(_only(str, value), T.STRING, kind)
    return {
        T.BOOLEAN: lambda v: _only(bool, v),
        T.INTEGER: lambda v: _whole(v, 31),
        T.BIGINT: lambda v: _whole(v, 63),
        T.DOUBLE: _double,
        T.STRING: lambda v: _only(str, v),
    }[kind]  # type: ignore[index]


def _or_null(read: Reader) -> Reader:
    return lambda value: None if value is None else read(value)


def _array(read: Reader) -> Reader:
    return lambda values: [read(v) for v in _only(list, values)]


def _map(read_key: Reader, read: Reader) -> Reader:
    return lambda values: {read_key(k): read(v) for k, v in _only(dict, values).items()}


def _struct(readers: Mapping[str, Reader]) -> Reader:
    def read(value: Any) -> dict[str, Any]:
        given = {column_name(name): v for name, v in _only(dict, value).items()}
        return {name: inner(given.get(name)) for name, inner in readers.items()}

    return read


def _only(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise Misfit
    return value


def _whole(value: Any, bits: int) -> int:
    if type(value) is not int or not -(1 << bits) <= value < 1 << bits:
        raise Misfit
    return value


def _double(value: Any) -> float:
    if type(value) not in (int, float):
        raise Misfit
    return float(value)


def _decimal(value: Any, kind: T.Decimal) -> Decimal:
    if type(value) not in (int, float, str):
        raise Misfit
    try:
        return fit_decimal(Decimal(str(value)), kind)
    except InvalidOperation:
        raise Misfit from None


def _java_class(value: Any) -> str:
    if type(value) is int:
        return "java.lang.Integer" if -(1 << 31) <= value < 1 << 31 else "java.lang.Long"
    return _JAVA.get(type(value), "java.lang.Object")
