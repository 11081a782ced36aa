"""ksqlDB as a dialect of sqlglot, found by its entry point: `sqlglot.parse_one(sql, read="ksqldb")`.

Parsing and printing are ours; sqlglot's Parser and Generator are not subclassed, so the compiled sqlglot works as well.
"""

from __future__ import annotations

from typing import Any

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect, NormalizationStrategy
from sqlglot.errors import ParseError as GlotParseError
from sqlglot.errors import UnsupportedError

from ksqlkit.dialect.glot.from_expressions import from_expression
from ksqlkit.dialect.glot.from_statements import from_statement
from ksqlkit.dialect.glot.names import identifier
from ksqlkit.dialect.glot.to_expressions import to_expression
from ksqlkit.dialect.glot.to_statements import to_statement
from ksqlkit.dialect.glot.types import from_type, to_type
from ksqlkit.dialect.lexer import EOF, tokenize
from ksqlkit.dialect.names import quoted
from ksqlkit.dialect.parser import parse_expression_text, parse_type_text, terminated
from ksqlkit.dialect.parser.cursor import Cursor
from ksqlkit.dialect.printer import expression_text, statement_text
from ksqlkit.dialect.printer.types import type_text
from ksqlkit.errors import KsqlkitError, ParseError

_STATEMENTS = (exp.Query, exp.Create, exp.Insert, exp.Drop, exp.Command)


class KsqlDB(Dialect):
    """ksqlDB 7.9."""

    NORMALIZATION_STRATEGY = NormalizationStrategy.UPPERCASE
    INDEX_OFFSET = 1

    def parse(self, sql: str, **_: Any) -> list[exp.Expr | None]:
        """All statements; the last one, or a lone expression, may lack its semicolon. Raises sqlglot's ParseError."""
        try:
            return list(_parse(sql))
        except ParseError as error:
            raise _translated(error) from error

    def parse_into(self, expression_type: Any, sql: str, **_: Any) -> list[exp.Expr | None]:
        """A part of a statement: a type, a table, an identifier, else a statement or expression."""
        kinds = expression_type if isinstance(expression_type, list | tuple | set) else [expression_type]
        try:
            if exp.DataType in kinds:
                return [to_type(parse_type_text(sql))]
            if exp.Identifier in kinds:
                return [identifier(_name(sql))]
            if exp.Table in kinds:
                return [exp.Table(this=identifier(_name(sql)))]
            return list(_parse(sql))
        except ParseError as error:
            raise _translated(error) from error

    def generate(self, expression: exp.Expr, copy: bool = True, **_: Any) -> str:  # noqa: ARG002
        """ksqlDB's text of a tree from any dialect, which is only read, so `copy` changes nothing.

        Raises sqlglot's UnsupportedError where ksqlDB has nothing like it.
        """
        try:
            return _text(expression)
        except KsqlkitError as error:
            raise UnsupportedError(error.render()) from error


def _parse(sql: str) -> list[exp.Expr]:
    text = tokenize(sql)
    if text.tokens[0].kind != EOF and text.tokens[-2].kind != ";":
        text = tokenize(sql + "\n;")
    p = Cursor(text, testing=True)
    found: list[exp.Expr] = []
    try:
        while p.kind != EOF:
            found.append(to_statement(terminated(p)))
    except ParseError:
        if found:
            raise
        try:  # sqlglot itself parses bare expressions, as in exp.condition("a > 1")
            return [to_expression(parse_expression_text(sql))]
        except ParseError:
            pass
        raise
    return found


def _name(text: str) -> str:
    p = Cursor(tokenize(text))
    name = p.name()
    if p.kind != EOF:
        p.expected(EOF)
    return name


def _text(node: exp.Expr) -> str:
    if isinstance(node, exp.DataType):
        return type_text(from_type(node), quoted)
    if isinstance(node, _STATEMENTS):
        return statement_text(from_statement(node)).removesuffix(";")
    if isinstance(node, exp.Table):
        return ".".join(
            quoted(part.name if part.args.get("quoted") else part.name.upper()) for part in node.parts
        )
    if isinstance(node, exp.Alias):
        return f"{_text(node.this)} AS {quoted(node.alias)}"
    if isinstance(node, exp.Identifier):
        return quoted(node.name if node.args.get("quoted") else node.name.upper())
    return expression_text(from_expression(node))


def _translated(error: ParseError) -> GlotParseError:
    place = error.location
    return GlotParseError.new(
        error.render(),
        description=error.message,
        line=place.line if place else None,
        col=place.column if place else None,
    )
