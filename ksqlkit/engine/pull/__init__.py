"""Pull queries: rows of a materialized table as they are now, or of a stream up to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import print_expression
from ksqlkit.dialect import types as T
from ksqlkit.engine.analysis import trees
from ksqlkit.engine.analysis.qualify import qualify_query
from ksqlkit.engine.analysis.timestamps import read_timestamps
from ksqlkit.engine.analysis.types import check_condition, value_type
from ksqlkit.engine.catalog import DataSource
from ksqlkit.engine.context import Prepared
from ksqlkit.engine.expressions import compile_function
from ksqlkit.engine.properties import Properties
from ksqlkit.engine.pull.where import Bounds, Conjunct, conjuncts
from ksqlkit.engine.push import PushQuery
from ksqlkit.engine.results import PullResult, QueryColumn
from ksqlkit.engine.schema import WINDOW_BOUNDS, Column
from ksqlkit.engine.statements.create_as import require_sources
from ksqlkit.engine.statements.values import Misfit, coerce
from ksqlkit.errors import StatementError

if TYPE_CHECKING:
    from ksqlkit.engine.live import LiveContext
    from ksqlkit.engine.runtime.query import Materialization

HELP: Final = (
    " See https://cnfl.io/queries for more info.\nAdd EMIT CHANGES if you intended to issue a push query."
)
_WHERE_HELP: Final = (
    "\nPull queries require a WHERE clause that:\n"
    " - includes a key equality expression, e.g. `SELECT * FROM X WHERE <key-column> = Y;`.\n"
    " - in the case of a multi-column key, is a conjunction of equality expressions that cover all key columns.\n"
    " - to support range expressions, e.g.,  SELECT * FROM X WHERE <key-column> < Y;`, range scans need to be "
    "enabled by setting ksql.query.pull.range.scan.enabled=true"
)
_SCAN_HELP: Final = (
    "If more flexible queries are needed, , table scans can be enabled by setting "
    "ksql.query.pull.table.scan.enabled=true."
)
_HIDDEN: Final = ("ROWPARTITION", "ROWOFFSET")
StoredRow = tuple[tuple[Any, ...], tuple[Any, ...], int, tuple[int, int] | None]


def run_pull(
    ctx: LiveContext, prepared: Prepared, pump: Callable[[float | None], bool]
) -> PullResult | PushQuery:
    """Answer a SELECT without EMIT. Raises StatementError with ksqlDB's messages for what pull queries cannot do."""
    node = prepared.node
    assert isinstance(node, N.QueryStatement)
    require_sources(ctx, node.query)
    query, scope = qualify_query(node.query, ctx.catalog)
    _check(query)
    source = scope.sources[0].source
    if source.kind == "STREAM":
        changes = replace(node, query=replace(node.query, emit="CHANGES"))
        return ctx.open_push(replace(prepared, node=changes), pump, ends=True)
    calls = (
        c for item in query.select if isinstance(item, N.SelectColumn) for c in trees.walk(item.expression)
    )
    if any(isinstance(c, N.FunctionCall) and ctx.functions.kind(c.name) == "TABLE" for c in calls):
        raise StatementError("Table source is not supported with table functions")
    table = ctx.materialization(source.query_id) if source.query_id else None
    if table is None:
        raise StatementError(
            f"The `{source.name}` table isn't queryable. To derive a queryable table, you can do "
            f"'CREATE TABLE QUERYABLE_{source.name} AS SELECT * FROM {source.name}'.{HELP}"
        )
    return _Pull(ctx, query, source, ctx.settings(prepared)).run(table)


def _check(query: N.Query) -> None:
    clauses = {
        "JOIN": isinstance(query.source, N.Join),
        "WINDOW": query.window is not None,
        "GROUP BY": bool(query.group_by),
        "PARTITION BY": bool(query.partition_by),
        "HAVING": query.having is not None,
    }
    for clause, present in clauses.items():
        if present:
            raise StatementError(f"Pull queries don't support {clause} clauses.{HELP}")
    if query.limit is not None and query.limit < 0:
        raise StatementError(f"Pull queries don't support negative integers in the LIMIT clause.{HELP}")
    selected = [i.expression for i in query.select if isinstance(i, N.SelectColumn)]
    for place, exprs in (("SELECT", selected), ("WHERE", [query.where] if query.where else [])):
        hidden = [
            c.name for e in exprs for c in trees.walk(e) if isinstance(c, N.ColumnRef) and c.name in _HIDDEN
        ]
        if hidden:
            shown = ", ".join(f"`{n}`" for n in hidden)
            raise StatementError(
                f"Pull queries don't support the following columns in {place} clauses: {shown}\n{HELP}"
            )


class _Pull:
    """One pull query on a table."""

    def __init__(self, ctx: LiveContext, query: N.Query, source: DataSource, settings: Properties) -> None:
        self.ctx, self.query, self.source, self.settings = ctx, query, source, settings
        bounds = [Column(n, t) for n, t in WINDOW_BOUNDS.items()] if source.window else []
        schema = source.schema
        self.star = (*schema.key, *bounds, *schema.value)
        self.columns = (*schema.key, *schema.value, Column("ROWTIME", T.BIGINT), *bounds)
        self.types = {c.name: c.type for c in self.columns}
        self.keys = {c.name for c in (*schema.key, *bounds)}

    def run(self, table: Materialization) -> PullResult:
        """Look up, filter, project, limit."""
        where = None if self.query.where is None else self._resolved(self.query.where, "WHERE")
        shown, exprs = self._select()
        project = compile_function(exprs, self.columns, self.ctx.functions)
        test = None
        if where is not None:
            check_condition(where, "WHERE", self.types, self.ctx.functions)
            test = compile_function([where], self.columns, self.ctx.functions)
        rows: list[tuple[Any, ...]] = []
        for row in self._candidates(table, where):
            if self.query.limit is not None and len(rows) >= self.query.limit:
                break
            flat = _flat(row)
            if test is None or self._holds(test, flat):
                rows.append(project(flat))
        return PullResult(f"query_{self.ctx.clock.now()}", shown, tuple(rows))

    @staticmethod
    def _holds(test: Callable[[tuple[Any, ...]], tuple[Any, ...]], row: tuple[Any, ...]) -> bool:
        try:
            return test(row)[0] is True
        except (ArithmeticError, ValueError, TypeError, LookupError):
            return False  # as in push queries: a row whose condition fails is not there

    def _resolved(self, expr: N.Expression, clause: str) -> N.Expression:
        def visit(node: N.Expression) -> N.Expression | None:
            if not isinstance(node, N.ColumnRef):
                return None
            if node.name not in self.types:
                place = f"Line: {node.span.line}, Col: {node.span.column}: " if node.span else ""
                raise StatementError(f"{place}{clause} column '{node.name}' cannot be resolved.")
            return N.ColumnRef(node.name, span=node.span)

        return read_timestamps(trees.rewrite(expr, visit))

    def _select(self) -> tuple[tuple[QueryColumn, ...], list[N.Expression]]:
        columns: list[QueryColumn] = []
        exprs: list[N.Expression] = []

        def add(name: str, expr: N.Expression) -> None:
            kind = value_type(expr, self.types, self.ctx.functions)
            key = isinstance(expr, N.ColumnRef) and expr.name in self.keys
            columns.append(QueryColumn(name, kind, key))
            exprs.append(expr)

        for item in self.query.select:
            match item:
                case N.SelectColumn(expression, alias):
                    expr = self._resolved(expression, "SELECT")
                    add(alias or print_expression(expr), expr)
                case N.SelectAll():
                    for column in self.star:
                        add(column.name, N.ColumnRef(column.name))
                case N.SelectStructAll(base):
                    expr = self._resolved(base, "SELECT")
                    kind = value_type(expr, self.types, self.ctx.functions)
                    if not isinstance(kind, T.Struct):
                        raise StatementError(f"Cannot expand {print_expression(expr)}: it is not a STRUCT")
                    for name, _ in kind.fields:
                        add(name, N.Dereference(expr, name))
        return tuple(columns), exprs

    # ------------------------------------------------------------ which rows to look at

    def _candidates(self, table: Materialization, where: N.Expression | None) -> Iterable[StoredRow]:
        scans = bool(self.settings["ksql.query.pull.table.scan.enabled"])
        if where is None:
            if not scans:
                raise _needs_key("Missing WHERE clause. ")
            return table.scan() if self.source.window is None else table.scan_windows()
        parts = conjuncts(where, [c.name for c in self.source.schema.key])
        if parts is not None and all(p.keys is not None for p in parts):
            return self._lookups(table, parts)
        if not scans:
            self._refuse(parts or [])
        if self.source.window is not None:
            return table.scan_windows()
        return table.scan()

    def _refuse(self, parts: Sequence[Conjunct]) -> None:
        """Without table scans: every conjunction must pin down the key."""
        keys = [c.name for c in self.source.schema.key]
        for part in parts:
            if not part.seen:
                shown = print_expression(part.expr, quote=False)
                raise _needs_key(f"WHERE clause missing key column for disjunct: {shown}. ")
            if len(part.seen) != len(keys):
                seen = ", ".join(f"`{k}`" for k in keys if k in part.seen)
                expected = ", ".join(f"`{c.name}` {c.type} KEY" for c in self.source.schema.key)
                raise _needs_key(
                    f"Multi-column sources must specify every key in the WHERE clause. Specified: [{seen}] "
                    f"Expected: [{expected}]. "
                )

    def _lookups(self, table: Materialization, parts: Sequence[Conjunct]) -> Iterator[StoredRow]:
        """Rows by key, each key once; window bounds of the same key are joined."""
        wanted: dict[Any, tuple[tuple[Any, ...], Bounds, Bounds]] = {}
        for part in parts:
            assert part.keys is not None
            key = tuple(
                self._constant(e, c.type) for e, c in zip(part.keys, self.source.schema.key, strict=True)
            )
            if _NEVER in key:
                continue
            starts, ends = self._bounds(part.starts), self._bounds(part.ends)
            if (before := wanted.get(_hashable(key))) is not None:
                starts, ends = starts.joined(before[1]), ends.joined(before[2])
            wanted[_hashable(key)] = (key, starts, ends)
        for key, starts, ends in wanted.values():
            if self.source.window is not None:
                yield from table.get_windows(key, (starts.low, starts.high), (ends.low, ends.high))
            elif (row := table.get(key)) is not None:
                yield row

    def _bounds(self, comparisons: Sequence[tuple[str, N.Expression]]) -> Bounds:
        found = Bounds()
        for op, expr in comparisons:
            value = self._constant(expr, T.BIGINT)
            if isinstance(value, int):
                found = found.narrowed(op, value)
        return found

    def _constant(self, expr: N.Expression, target: T.SqlType) -> Any:
        """The value of an expression without columns as the type; _NEVER where it cannot equal any such value."""
        if isinstance(expr, N.NullLiteral):
            return _NEVER
        source = value_type(expr, {}, self.ctx.functions)
        value = compile_function([expr], (), self.ctx.functions)(())[0]
        try:
            return _NEVER if value is None else coerce(value, source, target)
        except Misfit:
            return _narrowed(value, target)


_NEVER: Final = object()


def _narrowed(value: Any, target: T.SqlType) -> Any:
    """A wider number as the key's type where it is exact, else _NEVER."""
    whole = target in (T.INTEGER, T.BIGINT) and not isinstance(value, str | bool) and value == int(value)
    return int(value) if whole else _NEVER


def _hashable(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_hashable(v) for v in value)
    if isinstance(value, dict):
        return tuple((k, _hashable(v)) for k, v in value.items())
    return value


def _flat(row: StoredRow) -> tuple[Any, ...]:
    key, value, timestamp, window = row
    return (*key, *value, timestamp) if window is None else (*key, *value, timestamp, *window)


def _needs_key(message: str) -> StatementError:
    return StatementError(message + HELP + _WHERE_HELP + "\n" + _SCAN_HELP)
