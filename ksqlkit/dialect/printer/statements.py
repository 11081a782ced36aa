"""Statements as ksqlDB shows them; those it never prints follow the same manner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ksqlkit.dialect import nodes as n
from ksqlkit.dialect.names import quoted, string
from ksqlkit.dialect.printer.expressions import expression, listed
from ksqlkit.dialect.printer.queries import duration, query
from ksqlkit.dialect.printer.types import type_text


def statement(node: n.Statement) -> str:
    """The text of a statement. As in ksqlDB, some kinds end in a semicolon and some do not."""
    return _WRITERS[type(node)](node)


def _flag(given: bool, text: str) -> str:
    return text if given else ""


def _column(node: n.ColumnDef) -> str:
    suffix = ""
    if node.constraint == "HEADER" and node.header is not None:
        suffix = f" HEADER({string(node.header)})"
    elif node.constraint is not None:
        suffix = " " + node.constraint
    return f"{quoted(node.name)} {type_text(node.type, quoted)}{suffix}"


def _columns(columns: tuple[n.ColumnDef, ...]) -> str:
    return f" ({', '.join(map(_column, columns))})" if columns else ""


def _with(properties: n.Properties, name: Callable[[str], str] = quoted) -> str:
    if not properties:
        return ""
    return (
        " WITH (" + ", ".join(f"{name(key)}={expression(value, quoted)}" for key, value in properties) + ")"
    )


def _create(node: n.CreateSource) -> str:
    return (
        f"CREATE {_flag(node.or_replace, 'OR REPLACE ')}{_flag(node.source, 'SOURCE ')}{node.kind} "
        f"{_flag(node.if_not_exists, 'IF NOT EXISTS ')}{quoted(node.name)}"
        f"{_columns(node.columns)}{_with(node.properties)};"
    )


def _create_as(node: n.CreateAsSelect) -> str:
    return (
        f"CREATE {_flag(node.or_replace, 'OR REPLACE ')}{node.kind} {_flag(node.if_not_exists, 'IF NOT EXISTS ')}"
        f"{quoted(node.name)}{_with(node.properties)} AS {query(node.query)}"
    )


def _insert_into(node: n.InsertInto) -> str:
    given = _with(node.properties)
    return f"INSERT INTO {quoted(node.target)} {_flag(bool(given), given + ' ')}{query(node.query)}"


def _names(names: tuple[str, ...]) -> str:
    return f"({', '.join(map(quoted, names))}) " if names else ""


def _insert_values(node: n.InsertValues) -> str:
    return f"INSERT INTO {quoted(node.target)} {_names(node.columns)}VALUES ({listed(node.values, quoted)})"


def _drop(node: n.Drop) -> str:
    exists, topic = _flag(node.if_exists, "IF EXISTS "), _flag(node.delete_topic, " DELETE TOPIC")
    return f"DROP {node.kind} {exists}{quoted(node.name)}{topic}"


def _alter(node: n.AlterSource) -> str:
    added = ",\n".join(f"ADD COLUMN {quoted(c.name)} {type_text(c.type, quoted)}" for c in node.columns)
    return f"ALTER {node.kind} {quoted(node.name)}\n{added};"


def _create_type(node: n.CreateType) -> str:
    exists = _flag(node.if_not_exists, "IF NOT EXISTS ")
    return f"CREATE TYPE {exists}{quoted(node.name)} AS {type_text(node.type, quoted)};"


def _create_connector(node: n.CreateConnector) -> str:
    exists = _flag(node.if_not_exists, "IF NOT EXISTS ")
    return f"CREATE {node.kind} CONNECTOR {exists}{quoted(node.name)}{_with(node.properties, string)}"


def _print(node: n.Print) -> str:
    parts = ["PRINT", string(node.topic)]
    if node.from_beginning:
        parts.append("FROM BEGINNING")
    if node.interval is not None:
        parts.append(f"INTERVAL {node.interval}")
    if node.limit is not None:
        parts.append(f"LIMIT {node.limit}")
    return " ".join(parts)


def _explain(node: n.Explain) -> str:
    if node.statement is not None:
        return "EXPLAIN \n" + statement(node.statement)
    assert node.query_id is not None
    return "EXPLAIN \n" + quoted(node.query_id)


def _control(node: n.ControlQuery) -> str:
    return f"{node.action} {'ALL' if node.query_id is None else quoted(node.query_id)}"


def _timeout(timeout: n.Duration | None) -> str:
    return "" if timeout is None else f" TIMEOUT {duration(timeout)}"


def _assert_topic(node: n.AssertTopic) -> str:
    exists = _flag(not node.exists, "NOT EXISTS ")
    return f"ASSERT {exists}TOPIC {string(node.topic)}{_with(node.properties)}{_timeout(node.timeout)}"


def _assert_schema(node: n.AssertSchema) -> str:
    subject = "" if node.subject is None else f" SUBJECT {string(node.subject)}"
    number = "" if node.id is None else f" ID {node.id}"
    exists = _flag(not node.exists, "NOT EXISTS ")
    return f"ASSERT {exists}SCHEMA{subject}{number}{_timeout(node.timeout)}"


def _assert_values(node: n.AssertValues) -> str:
    head, word = ("NULL VALUES", "KEY") if node.null else ("VALUES", "VALUES")
    return f"ASSERT {head} {quoted(node.target)} {_names(node.columns)}{word} ({listed(node.values, quoted)})"


def _assert_source(node: n.AssertSource) -> str:
    return f"ASSERT {node.kind} {quoted(node.name)}{_columns(node.columns)}{_with(node.properties)};"


_WRITERS: Final[dict[type[n.Statement], Callable[[Any], str]]] = {
    n.QueryStatement: lambda node: query(node.query),
    n.CreateSource: _create,
    n.CreateAsSelect: _create_as,
    n.InsertInto: _insert_into,
    n.InsertValues: _insert_values,
    n.Drop: _drop,
    n.AlterSource: _alter,
    n.CreateType: _create_type,
    n.DropType: lambda node: f"DROP TYPE {_flag(node.if_exists, 'IF EXISTS ')}{quoted(node.name)}",
    n.CreateConnector: _create_connector,
    n.DropConnector: lambda node: f"DROP CONNECTOR {_flag(node.if_exists, 'IF EXISTS ')}{quoted(node.name)}",
    n.DescribeSource: lambda node: f"DESCRIBE {_described(node.name)}{_flag(node.extended, ' EXTENDED')}",
    n.DescribeAll: lambda node: f"DESCRIBE {node.kind}{_flag(node.extended, ' EXTENDED')}",
    n.DescribeFunction: lambda node: f"DESCRIBE FUNCTION {node.name}",
    n.DescribeConnector: lambda node: f"DESCRIBE CONNECTOR {quoted(node.name)}",
    n.Show: lambda node: f"SHOW {node.what}{_flag(node.extended, ' EXTENDED')}",
    n.Print: _print,
    n.Explain: _explain,
    n.ControlQuery: _control,
    n.SetProperty: lambda node: f"SET {string(node.name)}={string(node.value)}",
    n.UnsetProperty: lambda node: f"UNSET {string(node.name)}",
    n.AlterSystem: lambda node: f"ALTER SYSTEM {string(node.name)}={string(node.value)}",
    n.Define: lambda node: f"DEFINE {node.name}={string(node.value)}",
    n.Undefine: lambda node: f"UNDEFINE {node.name}",
    n.AssertTopic: _assert_topic,
    n.AssertSchema: _assert_schema,
    n.AssertValues: _assert_values,
    n.AssertSource: _assert_source,
    n.RunScript: lambda node: f"RUN SCRIPT {string(node.path)}",
}


def _described(name: str) -> str:
    """A source by the name of TABLES needs quotes: without them all tables are meant."""
    return f"`{name}`" if name == "TABLES" else quoted(name)
