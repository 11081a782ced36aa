"""The rules of GROUP BY: what may stand in the clauses of an aggregating query."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis import trees
from ksqlkit.engine.analysis.text import fail, show
from ksqlkit.engine.functions.contract import FunctionRegistry
from ksqlkit.engine.schema import WINDOW_BOUNDS


@dataclass(slots=True)
class _Found:
    """What a clause holds: column references with the aggregate they stand in, if any."""

    loose: list[N.ColumnRef] = field(
        default_factory=list
    )  # outside of aggregates and of grouping expressions
    inside: list[tuple[str, N.ColumnRef]] = field(default_factory=list)
    aggregates: list[N.FunctionCall] = field(default_factory=list)


def _look(expr: N.Expression, groups: frozenset[N.Expression], functions: FunctionRegistry) -> _Found:
    found = _Found()

    def visit(e: N.Expression, aggregate: str | None, grouped: bool) -> None:
        grouped = grouped or e in groups
        if isinstance(e, N.FunctionCall) and functions.kind(e.name) == "AGGREGATE":
            if aggregate is not None:
                raise fail(f"Aggregate functions can not be nested: {aggregate}({e.name}())", e)
            aggregate = e.name
            found.aggregates.append(e)
        if isinstance(e, N.ColumnRef):
            if aggregate is not None:
                found.inside.append((aggregate, e))
            elif not grouped:
                found.loose.append(e)
        for child in trees.children(e):
            visit(child, aggregate, grouped)

    visit(expr, None, False)
    return found


def _no_bounds(columns: Iterable[N.ColumnRef]) -> None:
    for ref in columns:
        if ref.name in WINDOW_BOUNDS:
            raise fail(
                f"Window bounds column {ref.name} can only be used in the SELECT clause of windowed aggregations and "
                "can not be passed to aggregate functions.\nSee https://github.com/confluentinc/ksql/issues/4397",
                ref,
            )


def check_aggregation(
    select: Sequence[N.Expression],
    where: N.Expression | None,
    group_by: Sequence[N.Expression],
    having: N.Expression | None,
    *,
    windowed: bool,
    functions: FunctionRegistry,
) -> None:
    """Raise StatementError where an aggregating query breaks ksqlDB's rules. Expressions use the steps' names."""
    bounds = [N.ColumnRef(n) for n in WINDOW_BOUNDS] if windowed else []
    groups: frozenset[N.Expression] = frozenset((*group_by, *bounds))
    count = 0
    loose_selects = []
    for expr in select:
        found = _look(expr, groups, functions)
        count += len(found.aggregates)
        if windowed:
            _no_bounds(ref for _, ref in found.inside)
        if expr not in groups and found.loose:
            loose_selects.append(expr)
    if where is not None and windowed:
        _no_bounds(trees.columns_of(where))
    for expr in group_by:
        found = _look(expr, frozenset(), functions)
        if found.aggregates:
            name = found.aggregates[0].name
            raise fail(
                f"GROUP BY does not support aggregate functions: {name} is an aggregate function.", expr
            )
        if windowed:
            _no_bounds(found.loose)
    loose_having: list[N.ColumnRef] = []
    if having is not None:
        found = _look(having, groups, functions)
        count += len(found.aggregates)
        if windowed:
            _no_bounds(trees.columns_of(having))
        loose_having = found.loose
    if not count:
        raise fail("GROUP BY requires aggregate functions in either the SELECT or HAVING clause.")
    if loose_selects:
        raise fail(
            "Non-aggregate SELECT expression(s) not part of GROUP BY: "
            f"{', '.join(map(show, loose_selects))}\n"
            "Either add the column(s) to the GROUP BY or remove them from the SELECT.",
            loose_selects[0],
        )
    if loose_having:
        raise fail(
            f"Non-aggregate HAVING expression not part of GROUP BY: {', '.join(map(show, loose_having))}\n"
            "Consider switching the HAVING clause to a WHERE clause before the GROUP BY.",
            loose_having[0],
        )
