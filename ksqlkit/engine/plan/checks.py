"""What ksqlDB refuses before it plans: unknown columns, reserved names, formats and sources a query cannot use."""

from __future__ import annotations

from typing import Final

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis.calls import calls_of
from ksqlkit.engine.analysis.text import fail, place, show
from ksqlkit.engine.plan.grouping import is_aggregation
from ksqlkit.engine.plan.join_rules import check_conditions
from ksqlkit.engine.plan.relation import Request
from ksqlkit.engine.schema import PSEUDO, WINDOW_BOUNDS
from ksqlkit.engine.windows.definitions import SessionWindows, TimeWindows, window_of

_KAFKA_LIMITS: Final = """\
The KAFKA format is primarily intended for use as a key format. It can be used as a value format, but can not be used \
in any operation that requires a repartition or changelog topic.
Removing this limitation requires enhancements to the core of KSQL. This will come in a future release. Until then, \
avoid using the KAFKA format for values.
If you have an existing topic with KAFKA formatted values you can duplicate the data and serialize using Avro or JSON \
with a statement such as:\x20

'CREATE STREAM <new-stream-name> WITH(VALUE_FORMAT='Avro') AS SELECT * FROM <existing-kafka-formated-stream-name>;'
For more info see https://github.com/confluentinc/ksql/issues/3060"""


def check_joins(request: Request) -> None:
    """No source is joined with itself, and join conditions compare two sources."""
    names = [s.source.name for s in request.scope.sources]
    for index, name in enumerate(names):
        if name in names[:index]:
            if index > 1:
                raise fail(
                    f"N-way joins do not support multiple occurrences of the same source. Source: '{name}'."
                )
            raise fail(
                f"Can not join '{name}' to '{name}': self joins are not yet supported.", request.query.source
            )
    check_conditions(request.query.source, request.scope)


def check_reserved(request: Request) -> None:
    """System column names cannot be aliases, and sinks cannot have them unaliased."""
    for item in request.query.select:
        if not isinstance(item, N.SelectColumn) or (item.alias or "").upper() not in (
            *PSEUDO,
            *WINDOW_BOUNDS,
        ):
            continue
        name = (item.alias or "").upper()
        text = show(item.expression)
        if text[text.find(".") + 1 :].upper() != name:
            raise fail(
                f"`{name}` is a reserved column name. You cannot use it as an alias for a column.", item
            )
        if request.sink is not None:
            raise fail(
                f"Reserved column name in select: `{name}`. Please remove or alias the column.",
                item.expression,
            )


def check_table_functions(request: Request) -> None:
    """Table functions and aggregation exclude each other."""
    selected = [i.expression for i in request.query.select if isinstance(i, N.SelectColumn)]
    found = calls_of("TABLE", selected, request.functions)
    if found and is_aggregation(request):
        raise fail("Table functions cannot be used with aggregations.", found[0])


def check_functions(request: Request) -> None:
    """Only scalar functions stand outside of the SELECT and HAVING; GROUP BY has messages of its own."""
    query = request.query
    joins = [c.written for c in check_conditions(query.source, request.scope).values()]
    clauses = (("Predicate", (query.where,)), ("SelectKey", (*query.partition_by, *joins)))
    for what, exprs in clauses:
        given = [e for e in exprs if e is not None]
        for call in calls_of("AGGREGATE", given, request.functions) + calls_of(
            "TABLE", given, request.functions
        ):
            raise fail(
                f"Invalid {what}: Can't find any functions with the name '{call.name}'",
                call,
                hint=f"{call.name} is no scalar function; conditions on aggregates belong into HAVING",
            )
    for call in calls_of("TABLE", query.group_by, request.functions):
        raise fail(f"Invalid Group By: Can't find any functions with the name '{call.name}'", call)


def check_columns(request: Request) -> None:
    """Every column exists."""
    query, scope = request.query, request.scope
    bounds = query.window is not None
    synthetic = not query.group_by
    if query.where is not None:
        scope.check(query.where, "WHERE", bounds=bounds)
    for expr in query.group_by:
        scope.check(expr, "GROUP BY", bounds=bounds)
    for expr in query.partition_by:
        scope.check(expr, "PARTITION BY", bounds=bounds)
    if query.having is not None:
        scope.check(query.having, "HAVING", bounds=bounds)
    for item in query.select:
        if isinstance(item, N.SelectColumn):
            scope.check(item.expression, "SELECT", bounds=bounds, synthetic=synthetic)
        elif isinstance(item, N.SelectStructAll):
            scope.check(item.base, "SELECT", bounds=bounds)


def check_value_formats(request: Request) -> None:
    """KAFKA values cannot be joined or grouped."""
    sources = request.scope.sources
    names = ", ".join(s.alias for s in sources if s.source.value_format.name == "KAFKA")
    verb = "JOIN" if request.scope.is_join else "GROUP BY" if request.query.group_by else None
    if names and verb:
        raise fail(
            f"Source(s) {names} are using the 'KAFKA' value format. This format does not yet support {verb}.\n"
            f"{_KAFKA_LIMITS}"
        )


def check_sources(request: Request) -> None:
    """Persistent queries cannot read windowed tables; a source's own columns must not hide pseudo columns."""
    sources = [s.source for s in request.scope.sources]
    if request.sink is not None and any(s.kind == "TABLE" and s.window is not None for s in sources):
        raise fail("KSQL does not support persistent queries on windowed tables.")
    hidden = [f"`{c.name}`" for s in sources for c in s.schema.value if c.name in PSEUDO]
    if hidden:
        raise fail(
            "Your stream/table has columns with the same name as newly introduced pseudocolumns in ksqlDB, and cannot "
            f"be queried as a result. The conflicting names are: {', '.join(hidden)}.\n"
        )


def check_clauses(request: Request) -> None:
    """WINDOW and EMIT FINAL need a GROUP BY, which excludes PARTITION BY; that names each expression once."""
    query = request.query
    if query.group_by and query.partition_by:
        raise fail("Queries only support one of PARTITION BY and GROUP BY", query.partition_by[0])
    for i, expr in enumerate(query.partition_by):
        if expr in query.partition_by[:i]:
            raise fail(f"Duplicate PARTITION BY expression: {show(expr)}", expr)
    if is_aggregation(request):
        if query.emit == "FINAL" and not (query.group_by and query.window is not None):
            raise fail("EMIT FINAL is only supported for windowed aggregations.", query)
        return
    if query.window is not None:
        raise fail(f"{place(query.window)}WINDOW clause requires a GROUP BY clause.", query.window)
    if query.emit == "FINAL":
        raise fail("EMIT FINAL is only supported for windowed aggregations.", query)


def check_window(request: Request) -> None:
    """Windows have a size, hops are no longer than it, and what is kept covers size and grace."""
    clause = request.query.window
    if clause is None:
        return
    window = window_of(clause)
    size = window.gap if isinstance(window, SessionWindows) else window.size
    if isinstance(window, SessionWindows) and size < 1:
        raise fail("Gap time (gapMs) cannot be zero or negative.", clause)
    if size < 1:
        raise fail("Window size (sizeMs) must be larger than zero.", clause)
    if isinstance(window, TimeWindows) and not 0 < window.advance <= size:
        raise fail(
            f"Window advancement interval should be more than zero and less than window duration {size} ms, "
            f"but given advancement interval is: {window.advance} ms",
            clause,
        )
    if window.retention < size + window.grace:
        raise fail(
            "The retention period of the window store must be no smaller than its window size plus the grace period. "
            f"Got size=[{size}], grace=[{window.grace}], retention=[{window.retention}]",
            clause,
        )


CHECKS: Final = (
    check_joins,
    check_reserved,
    check_table_functions,
    check_columns,
    check_functions,
    check_value_formats,
    check_sources,
    check_clauses,
    check_window,
)
