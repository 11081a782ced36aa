"""ROWTIME and window bounds compared with text: the text is read as a timestamp, once."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis import trees
from ksqlkit.engine.analysis.text import fail
from ksqlkit.engine.expressions.times import parse_timestamp
from ksqlkit.engine.schema import WINDOW_BOUNDS

_COLUMNS: Final = frozenset({"ROWTIME", *WINDOW_BOUNDS})


def read_timestamps(expr: N.Expression) -> N.Expression:
    """The condition with text that is compared to ROWTIME, WINDOWSTART or WINDOWEND as milliseconds.

    Raises StatementError for text that is no timestamp.
    """
    return trees.rewrite(expr, _visit)


def _visit(expr: N.Expression) -> N.Expression | None:
    if isinstance(expr, N.Between) and _is_time(expr.operand):
        return replace(expr, low=_millis(expr.low), high=_millis(expr.high))
    if isinstance(expr, N.Comparison):
        if _is_time(expr.left):
            return replace(expr, right=_millis(expr.right))
        if _is_time(expr.right):
            return replace(expr, left=_millis(expr.left))
    return None


def _is_time(expr: N.Expression) -> bool:
    return isinstance(expr, N.ColumnRef) and expr.name in _COLUMNS


def _millis(expr: N.Expression) -> N.Expression:
    if not isinstance(expr, N.StringLiteral):
        return expr
    try:
        return N.LongLiteral(parse_timestamp(expr.value), span=expr.span)
    except ValueError as error:
        raise fail(str(error), expr) from None
