"""Types both ways."""

from __future__ import annotations

from typing import Final

from sqlglot import exp

from ksqlkit.dialect import types as t
from ksqlkit.dialect.glot.names import identifier, name_of
from ksqlkit.errors import StatementError

_T = exp.DataType.Type
_TO: Final = {
    t.BOOLEAN: _T.BOOLEAN,
    t.INTEGER: _T.INT,
    t.BIGINT: _T.BIGINT,
    t.DOUBLE: _T.DOUBLE,
    t.STRING: _T.TEXT,
    t.BYTES: _T.VARBINARY,
    t.TIME: _T.TIME,
    t.DATE: _T.DATE,
    t.TIMESTAMP: _T.TIMESTAMP,
}
_FROM: Final = {v: k for k, v in _TO.items()} | {
    _T.TINYINT: t.INTEGER,
    _T.SMALLINT: t.INTEGER,
    _T.FLOAT: t.DOUBLE,
    _T.VARCHAR: t.STRING,
    _T.CHAR: t.STRING,
    _T.NVARCHAR: t.STRING,
    _T.BINARY: t.BYTES,
    _T.TIMESTAMPTZ: t.TIMESTAMP,
    _T.TIMESTAMPNTZ: t.TIMESTAMP,
    _T.DATETIME: t.TIMESTAMP,
}


def to_type(found: t.SqlType) -> exp.DataType:
    """ksqlDB type to sqlglot type."""
    if isinstance(found, t.Primitive):
        return exp.DataType(this=_TO[found])
    if isinstance(found, t.Decimal):
        sizes = [exp.DataTypeParam(this=exp.Literal.number(x)) for x in (found.precision, found.scale)]
        return exp.DataType(this=_T.DECIMAL, expressions=sizes)
    if isinstance(found, t.Array):
        return exp.DataType(this=_T.ARRAY, expressions=[to_type(found.item)], nested=True)
    if isinstance(found, t.Map):
        return exp.DataType(this=_T.MAP, expressions=[to_type(found.key), to_type(found.value)], nested=True)
    if isinstance(found, t.Struct):
        fields = [exp.ColumnDef(this=identifier(name), kind=to_type(item)) for name, item in found.fields]
        return exp.DataType(this=_T.STRUCT, expressions=fields, nested=True)
    return exp.DataType(this=_T.USERDEFINED, kind=found.name)


def from_type(found: exp.DataType) -> t.SqlType:
    """sqlglot type to ksqlDB type. Raises StatementError where ksqlDB has none."""
    kind, inside = found.this, found.expressions
    if kind in _FROM:
        return _FROM[kind]
    if kind == _T.DECIMAL:
        sizes = [int(size.name) for size in inside]
        return t.Decimal(sizes[0], sizes[1] if len(sizes) > 1 else 0) if sizes else t.Decimal(38, 10)
    if kind in (_T.ARRAY, _T.LIST) and inside:
        return t.Array(from_type(inside[0]))
    if kind == _T.MAP and len(inside) == 2:
        return t.Map(from_type(inside[0]), from_type(inside[1]))
    if kind == _T.STRUCT:
        return t.Struct(tuple((name_of(field.this), from_type(field.args["kind"])) for field in inside))
    if kind == _T.USERDEFINED:
        return t.Named(str(found.args["kind"]))
    raise StatementError(f"ksqlDB has no type like {found.sql()}")
