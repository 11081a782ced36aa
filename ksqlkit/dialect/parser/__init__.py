"""Recursive descent over ksqlDB's grammar; each module takes a Cursor and gives nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ksqlkit.dialect import nodes as n
from ksqlkit.dialect.lexer import EOF, Text, tokenize
from ksqlkit.dialect.parser import admin, ddl
from ksqlkit.dialect.parser.cursor import Cursor, nearest_command
from ksqlkit.dialect.parser.expressions import expression
from ksqlkit.dialect.parser.queries import query
from ksqlkit.dialect.parser.types import sql_type
from ksqlkit.dialect.types import SqlType

TOO_DEEP: Final = (
    "Error processing statement: Statement is too large to parse. "
    "This may be caused by having too many nested expressions in the statement."
)


def parse_statements(sql: str, *, testing: bool = False) -> list[n.Statement]:
    """All statements of a text; each ends with `;`. Raises ParseError at the first fault."""
    p = Cursor(tokenize(sql), testing=testing)
    found = []
    while p.kind != EOF:
        found.append(terminated(p))
    return found


def parse_single(sql: str, *, testing: bool = False) -> n.Statement:
    """The only statement of a text, with or without its semicolon."""
    p = Cursor(tokenize(sql), testing=testing)
    try:
        found = statement(p)
    except RecursionError:
        p.fail(TOO_DEEP, p.token)
    if p.kind != EOF:
        _end(p, found)
        if p.kind != EOF:
            p.fail("Expected exactly one statement.", p.token, hint="use parse() for several statements")
    return found


def terminated(p: Cursor) -> n.Statement:
    """One statement and its semicolon; the node's span leaves the semicolon out."""
    try:
        found = statement(p)
    except RecursionError:
        p.fail(TOO_DEEP, p.token)
    _end(p, found)
    return found


def _end(p: Cursor, found: n.Statement) -> None:
    ends_open = isinstance(found, n.QueryStatement | n.CreateAsSelect | n.InsertInto | n.Explain)
    if p.kind == ";":
        p.advance()
        return
    token = p.token
    if p.peek() != ";":
        if token.kind == EOF or token.kind in _STATEMENTS:
            p.syntax(f"missing ';' at '{token.text}'", hint="a statement ends with ;")
        if ends_open:  # so much could stand here that ksqlDB lists nothing
            p.syntax("")
    p.expected(";")


def statement(p: Cursor) -> n.Statement:
    """One statement, without its semicolon."""
    start = p.i
    rule = _STATEMENTS.get(p.kind)
    if rule is None and p.testing and p.kind == "RUN" and p.peek() == "SCRIPT":
        rule = admin.run_script
    if rule is None:
        word = p.token.text
        near = nearest_command(word[:200])  # its cost grows with the square of the length
        p.syntax(f"Unknown statement '{word}'\nDid you mean '{near}'?", hint=f"did you mean {near}?")
    p.sources, p.qualifiers = set(), []
    found = rule(p)
    for source, token in p.qualifiers:
        if source not in p.sources and not p.template:
            p.reject(f"'{source}' is not a valid stream/table name or alias.", token)
    comments = _comments(p.text, start, p.i)
    return replace(found, comments=comments) if comments else found


def _comments(text: Text, first: int, after: int) -> tuple[n.Comment, ...]:
    """The comments between the token before the statement and its semicolon."""
    if not text.comments:
        return ()
    low = text.tokens[first - 1].end if first else 0
    high = text.tokens[after].start
    return tuple(c for c in text.comments if c.span and low <= c.span.start < high)


def _query(p: Cursor) -> n.Statement:
    start = p.i
    asked = query(p)
    return n.QueryStatement(asked, span=p.span(start))


def _explain(p: Cursor) -> n.Statement:
    start = p.i
    p.advance()
    query_id = admin.explain_target(p)
    if query_id is not None:
        return n.Explain(query_id, span=p.span(start))
    if p.kind not in _STATEMENTS:
        p.no_viable()
    return n.Explain(statement=_STATEMENTS[p.kind](p), span=p.span(start))


_STATEMENTS: Final[dict[str, Callable[[Cursor], n.Statement]]] = {
    "SELECT": _query,
    "CREATE": ddl.create,
    "INSERT": ddl.insert,
    "DROP": ddl.drop,
    "ALTER": ddl.alter,
    "SHOW": admin.show,
    "LIST": admin.show,
    "DESCRIBE": admin.describe,
    "PRINT": admin.print_topic,
    "TERMINATE": admin.control,
    "PAUSE": admin.control,
    "RESUME": admin.control,
    "SET": admin.set_property,
    "UNSET": admin.unset_property,
    "DEFINE": admin.define,
    "UNDEFINE": admin.undefine,
    "ASSERT": admin.assertion,
    "EXPLAIN": _explain,
}


def parse_expression_text(text: str) -> n.Expression:
    """An expression on its own; qualified columns need no FROM here."""
    p = Cursor(tokenize(text))
    try:
        found = expression(p)
    except RecursionError:
        p.fail(TOO_DEEP, p.token)
    _whole(p)
    return found


def parse_type_text(text: str) -> SqlType:
    """A type on its own."""
    p = Cursor(tokenize(text))
    found = sql_type(p)
    _whole(p)
    return found


def parse_schema_text(text: str) -> tuple[n.ColumnDef, ...]:
    """Column definitions separated by commas, without parentheses; may be empty."""
    p = Cursor(tokenize(text))
    if p.kind == EOF:
        return ()
    columns = [ddl.column(p)]
    while p.accept(","):
        columns.append(ddl.column(p))
    _whole(p)
    return tuple(columns)


def _whole(p: Cursor) -> None:
    if p.kind != EOF:
        p.expected(EOF)
