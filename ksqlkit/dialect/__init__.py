"""ksqlDB SQL as data: tokens, parser, printer and types. Knows no other part of ksqlkit.

`parse` gives frozen nodes (`ksqlkit.dialect.nodes`) with spans; `print_statement` gives ksqlDB's own text
back. Parsing what was printed gives an equal tree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ksqlkit.dialect.nodes import ColumnDef, Expression, Span, Statement
    from ksqlkit.dialect.types import SqlType


def parse(sql: str, *, testing: bool = False) -> list[Statement]:
    """All statements of a text, each ended by `;`. Raises ParseError with the place of the first fault.

    `testing` adds the statements that only ksqlDB's test runner takes: RUN SCRIPT and ASSERT VALUES, NULL
    VALUES, STREAM and TABLE.
    """
    from ksqlkit.dialect.parser import parse_statements

    return parse_statements(sql, testing=testing)


def parse_one(sql: str, *, testing: bool = False) -> Statement:
    """The one statement of a text; its semicolon may be missing. Raises ParseError."""
    from ksqlkit.dialect.parser import parse_single

    return parse_single(sql, testing=testing)


def parse_expression(text: str) -> Expression:
    """An expression, as in `parse_expression("A + 1")`. Raises ParseError."""
    from ksqlkit.dialect.parser import parse_expression_text

    return parse_expression_text(text)


def parse_type(text: str) -> SqlType:
    """A type, as in `parse_type("MAP<STRING, INT>")`. Raises ParseError."""
    from ksqlkit.dialect.parser import parse_type_text

    return parse_type_text(text)


def parse_schema(text: str) -> tuple[ColumnDef, ...]:
    """Columns, as in ``parse_schema("`A` INT KEY, B STRING")``. Raises ParseError."""
    from ksqlkit.dialect.parser import parse_schema_text

    return parse_schema_text(text)


def split(sql: str) -> list[tuple[str, Span]]:
    """The text and place of each statement with its semicolon, without parsing it."""
    from ksqlkit.dialect.splitter import split_statements

    return split_statements(sql)


def print_statement(node: Statement) -> str:
    """A statement as ksqlDB prints it."""
    from ksqlkit.dialect.printer import statement_text

    return statement_text(node)


def print_expression(node: Expression, *, quote: bool = True) -> str:
    """An expression as ksqlDB prints it; without `quote` names stand bare, as in its error messages."""
    from ksqlkit.dialect.printer import expression_text

    return expression_text(node, quote=quote)


def quote_name(name: str) -> str:
    """The name as it must be written in SQL: in back-quotes when it is not upper case or is a reserved word."""
    from ksqlkit.dialect.names import quoted

    return quoted(name)
