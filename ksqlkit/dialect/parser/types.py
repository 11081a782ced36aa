"""Type expressions: `DECIMAL(10, 2)`, `MAP<STRING, ARRAY<INT>>`, `INT ARRAY`, names of CREATE TYPE."""

from __future__ import annotations

from ksqlkit.dialect import types as t
from ksqlkit.dialect.lexer import INTEGER
from ksqlkit.dialect.parser.cursor import Cursor


def sql_type(p: Cursor) -> t.SqlType:
    """A type; parameters of other types than DECIMAL (VARCHAR(255)) are read and dropped, as ksqlDB does."""
    found = _simple(p)
    while p.kind == "ARRAY":
        p.advance()
        found = t.Array(found)
    return found


def _simple(p: Cursor) -> t.SqlType:
    following = p.peek()
    if p.kind == "DECIMAL":
        return _decimal(p)
    if following == "<" and p.kind in ("ARRAY", "MAP", "STRUCT"):
        kind = p.advance().kind
        p.advance()
        found: t.SqlType
        if kind == "ARRAY":
            found = t.Array(sql_type(p))
        elif kind == "MAP":
            key = sql_type(p)
            p.expect(",")
            found = t.Map(key, sql_type(p))
        else:
            found = t.Struct(_fields(p))
        p.expect(">", *((",",) if kind == "STRUCT" else ()))
        return found
    if following == "<>" and p.kind == "STRUCT":
        p.no_viable(hint="an empty struct is written STRUCT< >, with a blank")
    name = p.name()
    if p.kind == "(":
        p.advance()
        while True:
            if p.kind not in (INTEGER, "STRING"):
                p.expected("STRING", INTEGER)
            p.advance()
            if not p.accept(","):
                break
        p.expect(")", ",")
    known = t.NAMES.get(name.upper())
    return known if known is not None else t.Named(name)


def _decimal(p: Cursor) -> t.SqlType:
    start = p.advance()
    p.expect("(")
    precision = p.integer("DECIMAL(PRECISION)")
    p.expect(",")
    scale = p.integer("DECIMAL(SCALE)")
    p.expect(")")
    shown = f"DECIMAL({precision},{scale})"
    if precision < 1:
        p.reject(f"DECIMAL precision must be >= 1: {shown}", start)
    if scale < 0:
        p.reject(f"DECIMAL scale must be >= 0: {shown}", start)
    if precision < scale:
        p.reject(f"DECIMAL precision must be >= scale: {shown}", start)
    return t.Decimal(precision, scale)


def _fields(p: Cursor) -> tuple[tuple[str, t.SqlType], ...]:
    fields: list[tuple[str, t.SqlType]] = []
    if p.kind == ">":
        return ()
    while True:
        token = p.token
        name = p.name()
        found = sql_type(p)
        if any(name == other for other, _ in fields):
            p.reject(f"Duplicate field names found in STRUCT: '{name}'", token)
        fields.append((name, found))
        if not p.accept(","):
            return tuple(fields)
