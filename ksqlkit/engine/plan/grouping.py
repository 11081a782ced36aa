"""GROUP BY, aggregates, windows and HAVING."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis import trees
from ksqlkit.engine.analysis.aggregates import check_aggregation
from ksqlkit.engine.analysis.calls import calls_of, check_known, replace_calls
from ksqlkit.engine.analysis.naming import Namer, aggregate_column
from ksqlkit.engine.analysis.select import Selected, expand_select
from ksqlkit.engine.analysis.text import fail, listed, show
from ksqlkit.engine.analysis.types import value_type
from ksqlkit.engine.catalog import Format, WindowInfo
from ksqlkit.engine.expressions import infer_type
from ksqlkit.engine.functions.contract import ResolvedAggregate
from ksqlkit.engine.plan.filters import filtered
from ksqlkit.engine.plan.formats import FormatError, check_key, internal_key_format
from ksqlkit.engine.plan.keying import needs_key
from ksqlkit.engine.plan.projection import project
from ksqlkit.engine.plan.relation import Relation, Request
from ksqlkit.engine.plan.sources import missing_key
from ksqlkit.engine.plan.steps import Aggregate, AggregateCall, GroupBy
from ksqlkit.engine.schema import WINDOW_BOUNDS, Column, Schema

_LITERALS = (
    N.BooleanLiteral,
    N.IntegerLiteral,
    N.LongLiteral,
    N.DecimalLiteral,
    N.DoubleLiteral,
    N.StringLiteral,
)
_ONE_GROUP = N.IntegerLiteral(1)  # what an aggregating query without GROUP BY groups by


@dataclass(frozen=True, slots=True)
class _Call:
    """An aggregate call, resolved: how many of its arguments are columns, and the values of the others."""

    call: N.FunctionCall
    function: ResolvedAggregate
    literals: tuple[Any, ...]

    @property
    def args(self) -> tuple[N.Expression, ...]:
        return self.call.args[: len(self.call.args) - len(self.literals)]


def is_aggregation(request: Request) -> bool:
    """Whether the query groups, or calls aggregates in its SELECT."""
    selected = [i.expression for i in request.query.select if isinstance(i, N.SelectColumn)]
    return bool(request.query.group_by or calls_of("AGGREGATE", selected, request.functions))


def aggregate(request: Request, relation: Relation) -> Relation:
    """Group, aggregate, filter by HAVING and project."""
    query, functions = request.query, request.functions
    by = tuple(relation.resolve(e) for e in query.group_by) or (_ONE_GROUP,)
    _check_duplicates(query.group_by)
    window = window_of(query)
    selected = expand_select(query.select, star=relation.star, types=relation.types, resolve=relation.resolve)
    having = None if query.having is None else relation.resolve(query.having)
    exprs = [s.expression for s in selected]
    check_known([*exprs, *([having] if having else [])], functions)
    check_aggregation(
        exprs,
        None if query.where is None else relation.resolve(query.where),
        by,
        having,
        windowed=window is not None,
        functions=functions,
    )
    if request.sink is not None:
        _check_keys(selected, by)

    found = calls_of("AGGREGATE", [*exprs, *([having] if having else [])], functions)
    calls = [_resolve(request, relation, c) for c in dict.fromkeys(found)]
    if relation.kind == "TABLE":
        _check_table(calls, window)
    _check_states(calls, request.left.source.value_format)
    grouped = _group(request, relation, by)
    column_of = {c.call: aggregate_column(i) for i, c in enumerate(calls)}
    keys = dict(zip(by, (c.name for c in grouped.schema.key), strict=True))

    def lift(expr: N.Expression) -> N.Expression:
        """Over the aggregate's columns: calls and grouping expressions become references."""
        lifted = replace_calls(expr, "AGGREGATE", functions, column_of.__getitem__)
        return trees.rewrite(lifted, lambda e: N.ColumnRef(keys[e], span=e.span) if e in keys else None)

    results = [replace(s, expression=lift(s.expression)) for s in selected]
    condition = None if having is None else lift(having)
    step = _aggregate_step(request, relation, grouped, calls, column_of, window, [*results, condition])
    key_format = step.key_format
    check_key(key_format, step.schema.key)
    after = replace(
        relation,
        step=step,
        kind="TABLE",
        key_format=key_format,
        window=window_info(window),
        layout=tuple(c.name for c in step.schema.columns),
        keys={n: n for n in keys.values()},
        resolve=lift,
        key_missing=lambda r: _key_missing(r, selected, by),
    )
    if condition is not None:
        names = {column: show(call) for call, column in column_of.items()}
        after = filtered(request, after, condition, "HAVING", "Aggregate-HavingFilter", names)
    return project(request, after, results, "Aggregate-Project")


def window_of(query: N.Query) -> N.Window | None:
    """The window clause; EMIT FINAL without a GRACE PERIOD has one of zero."""
    window = query.window
    if window is not None and query.emit == "FINAL" and window.grace is None:
        return replace(window, grace=N.Duration(0, "MILLISECONDS"))
    return window


def window_info(window: N.Window | None) -> WindowInfo | None:
    """How the window clause windows keys."""
    if isinstance(window, N.TumblingWindow):
        return WindowInfo("TUMBLING", window.size.millis)
    if isinstance(window, N.HoppingWindow):
        return WindowInfo("HOPPING", window.size.millis)
    return None if window is None else WindowInfo("SESSION")


def _check_duplicates(group_by: Sequence[N.Expression]) -> None:
    for index, expr in enumerate(group_by):
        if expr in group_by[:index]:
            raise fail(f"Duplicate GROUP BY expression: {show(expr)}", expr)


def _check_keys(selected: list[Selected], by: tuple[N.Expression, ...]) -> None:
    """A persistent query selects no grouping expression twice, and something else besides."""
    for expr in by:
        names = [f"`{s.name}`" for s in selected if s.expression == expr]
        if len(names) > 1:
            raise fail(
                f"The projection contains a key column more than once: {listed(names, 'and')}.\n"
                "Each key column must only be in the projection once. If you intended to copy the key into the value, "
                "then consider using the AS_VALUE function to indicate which key reference should be copied.",
                expr,
            )
    if all(s.expression in by for s in selected):
        raise fail("The projection contains no value columns.", by[0])


def _key_missing(request: Request, selected: list[Selected], by: tuple[N.Expression, ...]) -> None:
    missing = [e for e in by if all(s.expression != e for s in selected)]
    if missing == [_ONE_GROUP] and not request.query.group_by:
        calls = calls_of("AGGREGATE", [s.expression for s in selected], request.functions)
        texts = ", ".join(show(c if c.args else replace(c, args=(N.ColumnRef("ROWTIME"),))) for c in calls)
        raise fail(
            f"CREATE TABLE AS SELECT statement does not support aggregate function [{texts}] without a GROUP BY clause."
        )
    if missing:
        missing_key(request, "grouping expression", missing)


def _resolve(request: Request, relation: Relation, call: N.FunctionCall) -> _Call:
    types = [infer_type(a, relation.types, request.functions) for a in call.args]
    count = request.functions.constants(call.name, types)
    first = len(call.args) - count
    for index, arg in enumerate(call.args[first:], first + 1):
        if not isinstance(arg, _LITERALS):
            raise fail(
                f"Parameter {index} passed to function {call.name} must be a literal constant, "
                f"but was expression: '{show(arg)}'",
                arg,
            )
    literals = tuple(arg.value for arg in call.args[first:] if isinstance(arg, _LITERALS))
    return _Call(call, request.functions.aggregate(call.name, types, literals), literals)


def _check_table(calls: list[_Call], window: N.Window | None) -> None:
    if window is not None:
        raise fail("Windowing not supported for table aggregations.", window)
    names = list(dict.fromkeys(c.call.name for c in calls if c.function.remove is None))
    if names:
        raise fail(
            f"The aggregation function{'s' if len(names) > 1 else ''} {listed(names, 'and')} cannot be applied to a "
            "table source, only to a stream source."
        )


def _check_states(calls: list[_Call], value_format: Format) -> None:
    """ksqlDB keeps an aggregate's state in the source's value format, and DELIMITED holds nothing nested."""
    if value_format.name == "DELIMITED" and any(isinstance(c.function.init(), list | dict) for c in calls):
        raise FormatError(
            "One of the functions used in the statement has an intermediate type that the value format can not handle. "
            "Please remove the function or change the format."
        )


def _group(request: Request, relation: Relation, by: tuple[N.Expression, ...]) -> GroupBy:
    namer = Namer([relation.step.schema])
    key = tuple(
        Column(
            e.name if isinstance(e, N.ColumnRef) else namer.name(e),
            value_type(e, relation.types, request.functions),
        )
        for e in by
    )
    names = {c.name for c in key}
    values = tuple(c for c in relation.step.schema.columns if c.name not in names)
    # The key of a windowed source holds more than its columns.
    rekey = relation.kind == "TABLE" or relation.window is not None or needs_key(relation, by)
    return GroupBy("Aggregate-GroupBy", Schema(key, values), relation.step, by, rekey)


def _aggregate_step(
    request: Request,
    relation: Relation,
    grouped: GroupBy,
    calls: list[_Call],
    column_of: dict[N.FunctionCall, str],
    window: N.Window | None,
    uses: Sequence[Selected | N.Expression | None],
) -> Aggregate:
    exprs = [u.expression if isinstance(u, Selected) else u for u in uses if u is not None]
    used = [c.name for c in trees.columns_of(*exprs)]
    carried = tuple(c for c in grouped.schema.value if c.name in used)
    bounds = [Column(n, t) for n, t in WINDOW_BOUNDS.items() if window is not None and n in used]
    results = [Column(column_of[c.call], c.function.returns) for c in calls]
    schema = Schema(grouped.schema.key, (*carried, *results, *bounds))
    key_format = relation.key_format
    if grouped.rekey:
        named = request.default_key_format if key_format.name == "NONE" else key_format
        key_format = internal_key_format(named, [c.type for c in schema.key])
    return Aggregate(
        "Aggregate-Aggregate",
        schema,
        grouped,
        relation.kind,
        tuple(
            AggregateCall(column_of[c.call], c.call.name, c.args, c.literals, c.function.params)
            for c in calls
        ),
        tuple(c.name for c in carried),
        window,
        request.query.emit == "FINAL",
        key_format,
        request.left.source.value_format,
    )
