"""Nodes to text: ksqlDB's canonical form, stable under parse and print."""

from __future__ import annotations

from ksqlkit.dialect import nodes as n
from ksqlkit.dialect.names import quoted
from ksqlkit.dialect.printer.expressions import expression
from ksqlkit.dialect.printer.statements import statement


def statement_text(node: n.Statement) -> str:
    """A statement as ksqlDB's server would echo it."""
    return statement(node)


def expression_text(node: n.Expression, *, quote: bool = True) -> str:
    """An expression; with `quote` off, names stand bare, as in ksqlDB's error messages."""
    return expression(node, quoted if quote else str)
