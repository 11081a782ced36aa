"""Text where a record's or window's time is compared: `ROWTIME > '2020-02-10T08:31'` means milliseconds."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis import trees
from ksqlkit.engine.expressions.times import parse_timestamp
from ksqlkit.errors import StatementError

_COLUMNS: Final = frozenset({"ROWTIME", "WINDOWSTART", "WINDOWEND"})
_HELP: Final = (
    "\nRequired format is: \"yyyy-MM-dd'T'HH:mm:ss.SSS\", with an optional numeric 4-digit timezone, for example: "
    "'2020-05-26T23:59:58.000' or with tz: '2020-05-26T23:59:58.000+0200'. A trailing 'Z' instead of tz indicates "
    'the zero UTC offset. Partials are also supported, for example "2020-05-26"'
)


def with_time_literals(expr: N.Expression) -> N.Expression:
    """The condition with string literals beside ROWTIME, WINDOWSTART and WINDOWEND as BIGINT. Raises StatementError."""

    def visit(node: N.Expression) -> N.Expression | None:
        match node:
            case N.Comparison(_, left, right):
                if _is_time(left) and isinstance(right, N.StringLiteral):
                    return replace(node, right=_millis(right))
                if _is_time(right) and isinstance(left, N.StringLiteral):
                    return replace(node, left=_millis(left))
            case N.Between(operand, low, high) if _is_time(operand):
                return replace(node, low=_bound(low), high=_bound(high))
        return None

    return trees.rewrite(expr, visit)


def _is_time(expr: N.Expression) -> bool:
    return isinstance(expr, N.ColumnRef) and expr.name in _COLUMNS


def _bound(expr: N.Expression) -> N.Expression:
    return _millis(expr) if isinstance(expr, N.StringLiteral) else expr


def _millis(literal: N.StringLiteral) -> N.Expression:
    try:
        return N.LongLiteral(parse_timestamp(literal.value), span=literal.span)
    except ValueError as error:
        raise StatementError(f"Failed to parse timestamp '{literal.value}': {error}{_HELP}") from None
