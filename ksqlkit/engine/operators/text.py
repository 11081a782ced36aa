"""Expressions as text, for messages."""

from __future__ import annotations

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import print_expression


def sql(expr: N.Expression) -> str:
    """The expression as ksqlDB writes it in its processing log."""
    return print_expression(expr)
