"""Queries as ksqlDB shows them: one clause a line."""

from __future__ import annotations

from collections.abc import Iterator

from ksqlkit.dialect import nodes as n
from ksqlkit.dialect.names import quoted
from ksqlkit.dialect.printer.expressions import expression, listed


def query(node: n.Query) -> str:
    """The text of a query, without a line end."""
    return "\n".join(_lines(node))


def _lines(node: n.Query) -> Iterator[str]:
    items = [_item(item) for item in node.select]
    yield "SELECT " + items[0] if len(items) == 1 else "SELECT\n  " + ",\n  ".join(items)
    yield "FROM " + _relation(node.source)
    if node.window is not None:
        yield "WINDOW " + window_text(node.window)
    if node.where is not None:
        yield "WHERE " + expression(node.where, quoted)
    if node.group_by:
        yield "GROUP BY " + listed(node.group_by, quoted)
    if node.partition_by:
        yield "PARTITION BY " + listed(node.partition_by, quoted)
    if node.having is not None:
        yield "HAVING " + expression(node.having, quoted)
    if node.emit is not None:
        yield "EMIT " + node.emit
    if node.limit is not None:
        yield f"LIMIT {node.limit}"


def _item(item: n.SelectItem) -> str:
    if isinstance(item, n.SelectAll):
        return "*" if item.source is None else quoted(item.source) + ".*"
    if isinstance(item, n.SelectStructAll):
        return expression(item.base, quoted) + "->*"
    text = expression(item.expression, quoted)
    return text if item.alias is None else f"{text} {quoted(item.alias)}"


def _relation(node: n.Source | n.Join) -> str:
    if isinstance(node, n.Source):
        return f"{quoted(node.name)} {quoted(node.alias)}"
    kind = node.type if node.type == "INNER" else node.type + " OUTER"
    within = "" if node.within is None else " " + within_text(node.within)
    left, right = _relation(node.left), _relation(node.right)
    return f"{left}\n{kind} JOIN {right}{within} ON ({expression(node.condition, quoted)})"


def duration(node: n.Duration) -> str:
    """`10 SECONDS`."""
    return f"{node.value} {node.unit}"


def within_text(node: n.Within) -> str:
    """`WITHIN 10 SECONDS GRACE PERIOD 1 MINUTES`."""
    size = duration(node.before)
    if node.before != node.after:
        size = f"({size}, {duration(node.after)})"
    return f"WITHIN {size}" + ("" if node.grace is None else f" GRACE PERIOD {duration(node.grace)}")


def window_text(node: n.Window) -> str:
    """`TUMBLING ( SIZE 1 HOURS ) `, blanks as in ksqlDB."""
    if isinstance(node, n.HoppingWindow):
        text = f"HOPPING ( SIZE {duration(node.size)} , ADVANCE BY {duration(node.advance)}"
    elif isinstance(node, n.TumblingWindow):
        text = f"TUMBLING ( SIZE {duration(node.size)}"
    else:
        assert isinstance(node, n.SessionWindow)
        text = f"SESSION ( {duration(node.gap)}"
    if node.retention is not None:
        text += f" , RETENTION {duration(node.retention)}"
    if node.grace is not None:
        text += f" , GRACE PERIOD {duration(node.grace)}"
    return text + " ) "
