"""Which joins are allowed: conditions, kinds of the sides, and windowing, with ksqlDB's messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import types as T
from ksqlkit.engine.analysis.scope import AliasedSource, Scope
from ksqlkit.engine.analysis.text import fail, show

TYPE_TEXT: Final[dict[N.JoinType, str]] = {
    "INNER": "[INNER] JOIN",
    "LEFT": "LEFT [OUTER] JOIN",
    "RIGHT": "RIGHT [OUTER] JOIN",
    "FULL": "[FULL] OUTER JOIN",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """`left = right`, turned so that `right` belongs to the joined source; `written` keeps the order of the text."""

    left: N.Expression
    right: N.Expression
    left_source: AliasedSource
    right_source: AliasedSource
    written: N.Comparison

    def __str__(self) -> str:
        return f"{show(self.written.left)} = {show(self.written.right)}"


def _is_equality(expr: N.Expression) -> bool:
    return isinstance(expr, N.Comparison) and expr.op == "="


Conditions = dict[str, Condition]  # by the alias of the joined source


def check_conditions(node: N.Source | N.Join, scope: Scope) -> Conditions:
    """Read the ON clauses of a FROM clause, left first. Raises StatementError for all but `a.x = b.y`."""
    if isinstance(node, N.Source):
        return {}
    conditions = check_conditions(node.left, scope)
    known = Scope(scope.sources[: len(conditions) + 2])
    return conditions | {node.right.alias: _check_condition(node, known)}


def _check_condition(node: N.Join, scope: Scope) -> Condition:
    expr = node.condition
    if not isinstance(expr, N.Comparison):
        if isinstance(expr, N.Logical) and _is_equality(expr.left) and _is_equality(expr.right):
            raise fail(
                f"Invalid join condition: joins on multiple conditions are not yet supported. Got {show(expr)}.",
                expr,
            )
        raise fail(f"Unsupported join expression: {show(expr)}", expr)
    if not _is_equality(expr):
        raise fail("Only equality join criteria is supported.", expr)
    used_left = scope.check(expr.left, "JOIN ON")
    used_right = scope.check(expr.right, "JOIN ON")
    left = _only_source(expr.left, expr, used_left, scope)
    right = _only_source(expr.right, expr, used_right, scope)
    if left == right:
        raise fail(
            "Each side of the join must reference exactly one source and not the same source. "
            f"Left side references `{left.alias}` and right references `{right.alias}`",
            expr,
        )
    _check_windows(left, right, node)
    if node.right.alias not in (left.alias, right.alias):
        raise fail(
            f"A join criteria is expected to reference the source (`{node.right.alias}`) in the FROM clause, "
            f"instead the right source references `{right.alias}` and the left source references `{left.alias}`",
            expr,
        )
    if left.alias == node.right.alias:
        return Condition(expr.right, expr.left, right, left, expr)
    return Condition(expr.left, expr.right, left, right, expr)


def _named(scope: Scope, alias: str) -> AliasedSource:
    source = scope.named(alias)
    assert source is not None
    return source


def _only_source(side: N.Expression, whole: N.Expression, used: set[str], scope: Scope) -> AliasedSource:
    if len(used) != 1:
        raise fail(
            f"Invalid comparison expression '{show(side)}' in join '{show(whole)}'. "
            "Each side of the join comparision must contain references from exactly one source.",
            side,
        )
    return _named(scope, next(iter(used)))


def _check_windows(left: AliasedSource, right: AliasedSource, node: N.Node) -> None:
    one, other = left.source.window, right.source.window
    if (one is None) != (other is None):
        raise fail(
            "Can not join windowed source to non-windowed source.\n"
            f"`{left.alias}` is {one.type if one else 'not'} windowed\n"
            f"`{right.alias}` is {other.type if other else 'not'} windowed",
            node,
        )
    if one is not None and other is not None and (one.type == "SESSION") != (other.type == "SESSION"):
        raise fail(
            f"Incompatible windowed sources.\nLeft source: {one.type}\nRight source: {other.type}\n"
            "Session windowed sources can only be joined to other session windowed sources, and may still not "
            "result in expected behaviour as session bounds must be an exact match for the join to work\n"
            "Hopping and tumbling windowed sources can only be joined to other hopping and tumbling windowed sources",
            node,
        )


def on_key(expr: N.Expression, source: AliasedSource) -> bool:
    """Whether the expression is the one key column of the source it refers to."""
    keys = source.source.schema.key
    return isinstance(expr, N.ColumnRef) and len(keys) == 1 and keys[0].name == expr.name


def check_kinds(node: N.Join, condition: Condition, left: str, right: str, *, leaves: bool) -> bool:
    """Check a join of a `left` and a `right` STREAM or TABLE; answer whether it is a foreign-key join.

    `leaves`: both sides are sources, not joins.
    """
    got = f"{condition.left_source.source.name} {TYPE_TEXT[node.type]} {condition.right_source.source.name}"
    if left == "STREAM":
        if right == "TABLE":
            if node.type == "FULL":
                raise fail(
                    f"Invalid join type: full-outer join not supported for stream-table join. Got {got}.",
                    node,
                )
            if not on_key(condition.right, condition.right_source):
                raise fail(
                    "Invalid join condition: stream-table joins require to join on the table's primary key. "
                    f"Got {condition}.",
                    node.condition,
                )
        return False
    if right == "STREAM":
        raise fail(
            f"Invalid join order: table-stream joins are not supported; only stream-table joins. Got {got}.",
            node,
        )
    if not on_key(condition.right, condition.right_source):
        raise fail(
            "Invalid join condition: table-table joins require to join on the primary key of the right input table. "
            f"Got {condition}.",
            node.condition,
        )
    if on_key(condition.left, condition.left_source):
        return False
    if node.type == "FULL":
        raise fail(
            f"Invalid join type: full-outer join not supported for foreign-key table-table join. Got {got}.",
            node,
        )
    if not leaves:
        raise fail(
            "Invalid join condition: foreign-key table-table joins are not supported as part of n-way joins. "
            f"Got {condition}.",
            node.condition,
        )
    if condition.right_source.source.window is not None:
        raise fail("Foreign-key table-table joins are not supported on windowed tables.", node)
    return True


def check_types(condition: Condition, left: T.SqlType, right: T.SqlType) -> None:
    """Raise unless both sides of a table-table join have one type."""
    if left == right:
        return
    one, other = (left, right) if condition.written.left == condition.left else (right, left)
    raise fail(
        "Invalid join condition: types don't match. Got "
        f"{show(condition.written.left)}{{{one}}} = {show(condition.written.right)}{{{other}}}.",
        condition.written,
    )


def check_within(node: N.Join, left: str, right: str) -> None:
    """WITHIN is for stream-stream joins, and they need it."""
    if (left, right) == ("STREAM", "STREAM"):
        if node.within is None:
            raise fail(
                "Stream-Stream joins must have a WITHIN clause specified. None was provided. To learn about how to "
                "specify a WITHIN clause with a stream-stream join, please visit: https://docs.confluent.io/current/"
                "ksql/docs/syntax-reference.html#create-stream-as-select",
                node,
                hint="add for example WITHIN 1 HOUR GRACE PERIOD 10 MINUTES",
            )
    elif node.within is not None:
        kind, drop = ("Stream", "ie.") if left == "STREAM" else ("Table", "i.e.")
        again = "join" if left == "STREAM" else "Table-Table join"
        raise fail(
            f"A window definition was provided for a {kind}-Table join. These joins are not windowed. Please drop the "
            f"window definition ({drop} the WITHIN clause) and try to execute your {again} again.",
            node,
        )
