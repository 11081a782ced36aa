"""Statements that look, ask and steer: SHOW, DESCRIBE, PRINT, TERMINATE, SET, DEFINE, ASSERT, EXPLAIN."""

from __future__ import annotations

from typing import Literal, cast

from ksqlkit.dialect import nodes as n
from ksqlkit.dialect.lexer import BACK_QUOTED, DOUBLE_QUOTED, IDENTIFIER
from ksqlkit.dialect.parser.cursor import NAMES, Cursor
from ksqlkit.dialect.parser.ddl import Kind, names, properties, table_elements, values
from ksqlkit.dialect.parser.expressions import literal
from ksqlkit.dialect.parser.queries import duration, limit_clause
from ksqlkit.dialect.words import KEYWORDS

_PLAIN = ("PROPERTIES", "FUNCTIONS", "TYPES", "VARIABLES")
_EXTENDABLE = ("STREAMS", "TABLES", "TOPICS", "QUERIES")
_OTHER = ("ALL TOPICS", "CONNECTORS", "SOURCE CONNECTORS", "SINK CONNECTORS", "CONNECTOR PLUGINS")


def show(p: Cursor) -> n.Statement:
    """SHOW or LIST anything."""
    start = p.i
    p.advance()
    what = p.kind
    extended = False
    if what in _PLAIN:
        p.advance()
    elif what in _EXTENDABLE:
        p.advance()
        extended = p.accept("EXTENDED")
    elif p.accept("ALL", "TOPICS"):
        what = "ALL TOPICS"
        extended = p.accept("EXTENDED")
    elif p.accept("CONNECTOR", "PLUGINS"):
        what = "CONNECTOR PLUGINS"
    elif p.accept("CONNECTORS"):
        what = "CONNECTORS"
    elif what in ("SOURCE", "SINK") and p.accept(what, "CONNECTORS"):
        what += " CONNECTORS"
    else:
        p.no_viable(options=(*_EXTENDABLE, *_PLAIN, *_OTHER))
    return n.Show(what, extended, span=p.span(start))


def describe(p: Cursor) -> n.Statement:
    """DESCRIBE a source, all sources, a function or a connector."""
    start = p.i
    p.advance()
    if p.kind in ("STREAMS", "TABLES"):
        what = cast(Literal["STREAMS", "TABLES"], p.advance().kind)
        return n.DescribeAll(what, p.accept("EXTENDED"), span=p.span(start))
    if p.accept("CONNECTOR"):
        return n.DescribeConnector(p.name(), span=p.span(start))
    if p.kind == "FUNCTION" and p.peek() in NAMES:
        p.advance()
        token = p.token
        p.name()
        return n.DescribeFunction(token.text, span=p.span(start))
    if p.kind not in NAMES:
        p.no_viable()
    name = p.source_name()
    return n.DescribeSource(name, p.accept("EXTENDED"), span=p.span(start))


def print_topic(p: Cursor) -> n.Statement:
    """PRINT topic [FROM BEGINNING] [INTERVAL n] [LIMIT n]."""
    start = p.i
    p.advance()
    topic = p.resource()
    from_beginning = False
    if p.accept("FROM"):
        p.expect("BEGINNING")
        from_beginning = True
    interval = p.integer("INTERVAL") if p.accept("INTERVAL") or p.accept("SAMPLE") else None
    return n.Print(topic, from_beginning, interval, limit_clause(p), span=p.span(start))


def control(p: Cursor) -> n.Statement:
    """TERMINATE, PAUSE or RESUME, one query or ALL."""
    start = p.i
    action = cast(Literal["TERMINATE", "PAUSE", "RESUME"], p.advance().kind)
    query_id = None if p.accept("ALL") else p.name()
    return n.ControlQuery(action, query_id, span=p.span(start))


def set_property(p: Cursor) -> n.Statement:
    """SET 'name' = 'value'."""
    start = p.i
    p.advance()
    name = p.string()
    p.expect("=")
    return n.SetProperty(name, p.string(), span=p.span(start))


def unset_property(p: Cursor) -> n.Statement:
    """UNSET 'name'."""
    start = p.i
    p.advance()
    return n.UnsetProperty(p.string(), span=p.span(start))


def define(p: Cursor) -> n.Statement:
    """DEFINE name = 'value'."""
    start = p.i
    p.advance()
    name = _variable_name(p)
    p.expect("=")
    return n.Define(name, p.string(), span=p.span(start))


def undefine(p: Cursor) -> n.Statement:
    """UNDEFINE name."""
    start = p.i
    p.advance()
    return n.Undefine(_variable_name(p), span=p.span(start))


def _variable_name(p: Cursor) -> str:
    """A plain identifier as written; keywords are taken too, when written in lower case."""
    if p.kind is not IDENTIFIER and not (p.kind in KEYWORDS and p.token.text.islower()):
        p.expected(IDENTIFIER)
    return p.advance().text


def run_script(p: Cursor) -> n.Statement:
    """RUN SCRIPT 'path'."""
    start = p.i
    p.advance()
    p.advance()
    return n.RunScript(p.string(), span=p.span(start))


def assertion(p: Cursor) -> n.Statement:
    """ASSERT of a topic or schema, or of values and sources in the test language."""
    start = p.i
    p.advance()
    exists = not p.accept("NOT", "EXISTS")
    if p.accept("TOPIC"):
        topic = p.resource()
        given = properties(p) if p.accept("WITH") else ()
        timeout = duration(p) if p.accept("TIMEOUT") else None
        return n.AssertTopic(topic, given, timeout, exists, span=p.span(start))
    if p.accept("SCHEMA"):
        return _assert_schema(p, start, exists)
    if not (exists and p.testing and p.kind in ("STREAM", "TABLE", "NULL", "VALUES")):
        p.no_viable()
    return _assert_test(p, start)


def _assert_test(p: Cursor, start: int) -> n.Statement:
    """What only the test language asserts."""
    if p.kind in ("STREAM", "TABLE"):
        kind = cast(Kind, p.advance().kind)
        name = p.source_name()
        columns = table_elements(p) if p.kind == "(" else ()
        given = properties(p) if p.accept("WITH") else ()
        return n.AssertSource(kind, name, columns, given, span=p.span(start))
    null = p.accept("NULL")
    p.words("VALUES")
    target = p.source_name()
    fields = names(p) if p.kind == "(" else ()
    p.expect("KEY" if null else "VALUES")
    return n.AssertValues(target, fields, values(p), null, span=p.span(start))


def _assert_schema(p: Cursor, start: int, exists: bool) -> n.Statement:
    subject = p.resource() if p.accept("SUBJECT") else None
    number: int | None = None
    if p.accept("ID"):
        token = p.token
        given = literal(p)
        if not isinstance(given, n.IntegerLiteral):
            p.reject("ID must be an integer", token)
        number = given.value
    timeout = duration(p) if p.accept("TIMEOUT") else None
    if subject is None and number is None:
        p.reject("ASSERT SCHEMA statements much include a subject name or an id", p.tokens[start])
    return n.AssertSchema(subject, number, timeout, exists, span=p.span(start))


def explain_target(p: Cursor) -> str | None:
    """The query id behind EXPLAIN, or None if a statement stands there."""
    if p.kind not in NAMES:
        return None
    quoted = p.kind in (BACK_QUOTED, DOUBLE_QUOTED)
    if quoted or p.peek() in (";", "<EOF>"):
        return p.name()
    return None
