"""How expressions and lists of names read in messages: as ksqlDB prints them."""

from __future__ import annotations

from collections.abc import Sequence

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect.printer import expression_text
from ksqlkit.errors import Location, StatementError


def show(expr: N.Expression) -> str:
    """The expression as ksqlDB prints it in messages: names bare unless they need quotes, operators in parentheses."""
    return expression_text(expr)


def listed(items: Sequence[str], last: str) -> str:
    """ "A, B and C" for last="and"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"


def place(node: N.Node | None) -> str:
    """The prefix "Line: 1, Col: 8: " that ksqlDB puts before messages about a place; empty where it is unknown."""
    span = node.span if node is not None else None
    return "" if span is None else f"Line: {span.line}, Col: {span.column}: "


def fail(
    message: str, node: N.Node | None = None, *, hint: str | None = None, statement: str | None = None
) -> StatementError:
    """An error about `node`, to raise; the message is left as it is, the location is taken from the node."""
    span = node.span if node is not None else None
    location = None if span is None else Location(line=span.line, column=span.column)
    return StatementError(message, statement=statement, location=location, hint=hint)
