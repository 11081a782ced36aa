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


def masked_insert(node: n.InsertValues) -> str:
    """INSERT VALUES with its values hidden, as ksqlDB echoes it."""
    columns = f" ({', '.join(f'`{c}`' for c in node.columns)})" if node.columns else ""
    values = ", ".join(["'[value]'"] * len(node.values))
    return f"INSERT INTO `{node.target}`{columns} VALUES ({values});"
