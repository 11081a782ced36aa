"""Statements as ksqlDB echoes them: defaults filled into WITH, columns qualified, aliases spelled out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import print_statement
from ksqlkit.engine.statements.with_clause import WithClause


def create_source_text(
    node: N.CreateSource, columns: tuple[N.ColumnDef, ...], clause: WithClause, defaults: Mapping[str, Any]
) -> str:
    """CREATE STREAM|TABLE with resolved column types and `defaults` added to WITH."""
    return terminated(print_statement(replace(node, columns=columns, properties=filled(clause, defaults))))


def create_as_text(
    node: N.CreateAsSelect, query: N.Query, clause: WithClause, defaults: Mapping[str, Any]
) -> str:
    """CREATE ... AS SELECT with `query` in place of the written one and `defaults` added to WITH."""
    return terminated(print_statement(replace(node, query=query, properties=filled(clause, defaults))))


def filled(clause: WithClause, defaults: Mapping[str, Any]) -> N.Properties:
    """The clause's properties with defaults added, sorted by name."""
    values = dict(clause.literals)
    for name, value in defaults.items():
        node = N.StringLiteral(value) if isinstance(value, str) else N.IntegerLiteral(value)
        values.setdefault(name, node)
    return tuple(sorted(values.items()))


def terminated(text: str) -> str:
    """The text with its semicolon."""
    return text if text.endswith(";") else text + ";"


def name_text(name: str) -> str:
    """A name as command ids show it: always in back-quotes."""
    return f"`{name}`"
