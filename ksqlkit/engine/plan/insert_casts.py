"""INSERT INTO: decimal literals take the precision and scale of the column they go into."""

from __future__ import annotations

import decimal
from collections.abc import Sequence
from dataclasses import replace

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import types as T
from ksqlkit.engine.analysis.select import Selected
from ksqlkit.engine.plan.relation import Request


def fitted(request: Request, selected: Sequence[Selected]) -> Sequence[Selected]:
    """The select list with numeric literals widened to the DECIMAL columns of the target, by position."""
    if request.sink is None or request.sink.insert_into is None:
        return selected
    columns = request.sink.insert_into.schema.columns
    return [
        replace(s, expression=_fit(s.expression, columns[i].type)) if i < len(columns) else s
        for i, s in enumerate(selected)
    ]


def _fit(expr: N.Expression, target: T.SqlType) -> N.Expression:
    if not isinstance(target, T.Decimal):
        return expr
    if isinstance(expr, N.IntegerLiteral | N.LongLiteral | N.DecimalLiteral):
        value = decimal.Decimal(expr.value)
    elif isinstance(expr, N.DoubleLiteral):
        value = decimal.Decimal(repr(expr.value))
    else:
        return expr
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    scale = max(0, -exponent)
    whole = len(value.as_tuple().digits) - scale
    if scale > target.scale or whole > target.precision - target.scale:
        return expr
    with decimal.localcontext(prec=target.precision + target.scale + 1):
        return N.DecimalLiteral(value.quantize(decimal.Decimal(1).scaleb(-target.scale)), span=expr.span)
