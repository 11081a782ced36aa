"""Statements that make, fill, change and remove things: CREATE, INSERT, ALTER, DROP."""

from __future__ import annotations

from typing import Literal, cast

from ksqlkit.dialect import nodes as n
from ksqlkit.dialect import types as t
from ksqlkit.dialect.lexer import STRING
from ksqlkit.dialect.names import in_quotes
from ksqlkit.dialect.parser.cursor import NAMES, Cursor
from ksqlkit.dialect.parser.expressions import literal, value
from ksqlkit.dialect.parser.queries import query
from ksqlkit.dialect.parser.types import sql_type
from ksqlkit.dialect.printer import masked_insert

Kind = Literal["STREAM", "TABLE"]
_HEADERS = t.Array(t.Struct((("KEY", t.STRING), ("VALUE", t.BYTES))))


def create(p: Cursor) -> n.Statement:
    """CREATE anything."""
    start = p.i
    p.advance()
    or_replace = p.accept("OR", "REPLACE")
    if not or_replace:
        if p.kind == "TYPE":
            return _create_type(p, start)
        if p.kind in ("SOURCE", "SINK") and p.peek() == "CONNECTOR":
            return _create_connector(p, start)
    source = p.accept("SOURCE")
    kind = _kind(p)
    if_not_exists = p.accept("IF", "NOT", "EXISTS")
    name = p.source_name()
    columns = table_elements(p) if p.kind == "(" else ()
    properties = _with(p)
    if p.kind == "AS" and not columns and not source:
        p.advance()
        if p.kind != "SELECT":
            p.expected("SELECT")
        asked = persistent(p)
        if asked.limit is not None:
            p.reject(f"CREATE {kind} AS SELECT statements don't support LIMIT clause.", p.tokens[start])
        return n.CreateAsSelect(
            kind,
            name,
            asked,
            properties,
            or_replace=or_replace,
            if_not_exists=if_not_exists,
            span=p.span(start),
        )
    return n.CreateSource(
        kind,
        name,
        columns,
        properties,
        or_replace=or_replace,
        if_not_exists=if_not_exists,
        source=source,
        span=p.span(start),
    )


def persistent(p: Cursor) -> n.Query:
    """The query of a statement that keeps running."""
    p.persistent = True
    try:
        return query(p)
    finally:
        p.persistent = False


def _kind(p: Cursor) -> Kind:
    if p.kind not in ("STREAM", "TABLE"):
        p.no_viable(options=("STREAM", "TABLE"))
    return cast(Kind, p.advance().kind)


def _create_type(p: Cursor, start: int) -> n.Statement:
    p.advance()
    if_not_exists = p.accept("IF", "NOT", "EXISTS")
    name = p.name()
    p.expect("AS")
    return n.CreateType(name, sql_type(p), if_not_exists, span=p.span(start))


def _create_connector(p: Cursor, start: int) -> n.Statement:
    kind = cast(Literal["SOURCE", "SINK"], p.advance().kind)
    p.advance()
    if_not_exists = p.accept("IF", "NOT", "EXISTS")
    name = p.name()
    if p.kind != "WITH":
        p.expected("WITH")
    return n.CreateConnector(kind, name, _with(p, keep_case=True), if_not_exists, span=p.span(start))


def table_elements(p: Cursor) -> tuple[n.ColumnDef, ...]:
    """`(name type [KEY], ...)`."""
    start = p.expect("(")
    columns = [column(p)]
    while p.accept(","):
        columns.append(column(p))
    p.end_of_list(")", several=len(columns) > 1)
    seen = [c.name for c in columns]
    twice = dict.fromkeys(name for name in seen if seen.count(name) > 1)
    if twice:
        p.reject("Duplicate column names: " + ", ".join(map(in_quotes, twice)), start)
    return tuple(columns)


def column(p: Cursor) -> n.ColumnDef:
    """name type [KEY | PRIMARY KEY | HEADERS | HEADER('key')]."""
    start = p.i
    name = p.name()
    found = sql_type(p)
    constraint: Literal["KEY", "PRIMARY KEY", "HEADERS", "HEADER"] | None = None
    header: str | None = None
    if p.accept("KEY"):
        constraint = "KEY"
    elif p.accept("PRIMARY"):
        p.expect("KEY")
        constraint = "PRIMARY KEY"
    elif p.accept("HEADERS"):
        constraint = "HEADERS"
    elif p.accept("HEADER"):
        p.expect("(")
        header = p.string().strip()
        p.expect(")")
        constraint = "HEADER" if header else "HEADERS"
        header = header or None
    if constraint == "HEADERS" and found != _HEADERS and not isinstance(found, t.Named):
        p.reject(
            f"Invalid type for HEADERS column: expected {_HEADERS}, got {found}",
            p.tokens[start],
        )
    if constraint == "HEADER" and found != t.BYTES and not isinstance(found, t.Named):
        p.reject(f"Invalid type for HEADER('{header}') column: expected BYTES, got {found}", p.tokens[start])
    return n.ColumnDef(name, found, constraint, header, span=p.span(start))


def _with(p: Cursor, *, keep_case: bool = False) -> n.Properties:
    return properties(p, keep_case=keep_case) if p.accept("WITH") else ()


def properties(p: Cursor, *, keep_case: bool = False) -> n.Properties:
    """`(name = literal, ...)` in the order of their names, which is how ksqlDB shows them.

    Names are upper-cased, but for connectors', whose quoted names mean something to others.
    """
    p.expect("(")
    found: dict[str, n.Expression] = {}
    while True:
        token = p.token
        if p.kind is STRING:
            name = p.string()
        elif p.kind in NAMES:
            name = p.name()
        else:
            p.no_viable()
        name = name if keep_case else name.upper()
        p.expect("=")
        if name in found:
            p.reject(f"Multiple entries with same key: {name}", token)
        found[name] = literal(p)
        if not p.accept(","):
            break
    p.end_of_list(")", several=len(found) > 1)
    return tuple(sorted(found.items()))


def insert(p: Cursor) -> n.Statement:
    """INSERT INTO ... VALUES or INSERT INTO ... SELECT."""
    start = p.i
    p.advance()
    p.expect("INTO")
    target = p.source_name()
    if p.kind == "VALUES" or p.kind == "(":
        columns = names(p) if p.kind == "(" else ()
        p.expect("VALUES")
        given = values(p)
        if columns and len(columns) != len(given):
            p.fail(
                "Failed to prepare statement: Expected number columns and values to match: "
                f"{len(columns)}, {len(given)}",
                p.tokens[start],
                statement=masked_insert(n.InsertValues(target, columns, given)),
            )
        return n.InsertValues(target, columns, given, span=p.span(start))
    properties_given = _with(p)
    if p.kind != "SELECT":
        p.no_viable()
    return n.InsertInto(target, persistent(p), properties_given, span=p.span(start))


def names(p: Cursor) -> tuple[str, ...]:
    """`(a, b)`."""
    p.expect("(")
    found = [p.name()]
    while p.accept(","):
        found.append(p.name())
    p.end_of_list(")", several=len(found) > 1)
    return tuple(found)


def values(p: Cursor) -> tuple[n.Expression, ...]:
    """`(1, 'x')`."""
    p.expect("(")
    found: list[n.Expression] = []
    if not p.accept(")"):
        found.append(value(p))
        while p.accept(","):
            found.append(value(p))
        p.end_of_list(")", several=len(found) > 1)
    return tuple(found)


def drop(p: Cursor) -> n.Statement:
    """DROP STREAM, TABLE, CONNECTOR or TYPE."""
    start = p.i
    p.advance()
    kind = p.kind
    if kind not in ("STREAM", "TABLE", "CONNECTOR", "TYPE"):
        p.no_viable(options=("STREAM", "TABLE", "CONNECTOR", "TYPE"))
    p.advance()
    if_exists = p.accept("IF", "EXISTS")
    if kind == "CONNECTOR":
        return n.DropConnector(p.name(), if_exists, span=p.span(start))
    if kind == "TYPE":
        return n.DropType(p.name(), if_exists, span=p.span(start))
    name = p.source_name()
    delete_topic = False
    if p.accept("DELETE"):
        p.expect("TOPIC")
        delete_topic = True
    return n.Drop(cast(Kind, kind), name, if_exists, delete_topic, span=p.span(start))


def alter(p: Cursor) -> n.Statement:
    """ALTER STREAM|TABLE ... ADD COLUMN, or ALTER SYSTEM."""
    start = p.i
    p.advance()
    if p.accept("SYSTEM"):
        name = p.string()
        p.expect("=")
        return n.AlterSystem(name, p.string(), span=p.span(start))
    kind = _kind(p)
    source = p.source_name()
    columns: list[n.ColumnDef] = []
    while True:
        p.expect("ADD")
        # COLUMN is a keyword only where a name and a type still follow it.
        if p.kind == "COLUMN" and p.peek() in NAMES and p.peek(2) not in (",", ";", "<", "(", "<EOF>"):
            p.advance()
        at = p.i
        column_name = p.name()
        columns.append(n.ColumnDef(column_name, sql_type(p), span=p.span(at)))
        if not p.accept(","):
            break
    return n.AlterSource(kind, source, tuple(columns), span=p.span(start))
