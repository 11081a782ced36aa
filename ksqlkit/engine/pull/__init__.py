"""Pull queries: rows of a materialized table as they are now, or of a stream up to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import print_expression
from ksqlkit.dialect import types as T
from ksqlkit.engine.analysis import trees
from ksqlkit.engine.analysis.qualify import qualify_query
from ksqlkit.engine.analysis.timestamps import read_timestamps
from ksqlkit.engine.analysis.types import check_condition, value_type
from ksqlkit.engine.catalog import DataSource, Format
from ksqlkit.engine.context import Prepared
from ksqlkit.engine.expressions import answer_rows, compile_function, split_remote
from ksqlkit.engine.properties import Properties
from ksqlkit.engine.pull.rules import HELP, check_likes, refusal, require_keys
from ksqlkit.engine.pull.where import Bounds, Conjunct, conjuncts
from ksqlkit.engine.push import PushQuery
from ksqlkit.engine.results import PullResult, QueryColumn
from ksqlkit.engine.row_errors import RowErrors
from ksqlkit.engine.schema import WINDOW_BOUNDS, Column
from ksqlkit.engine.serde import make_deserializer, make_serializer
from ksqlkit.engine.statements.create_as import require_sources
from ksqlkit.engine.statements.values import Misfit, coerce, shown
from ksqlkit.errors import StatementError

if TYPE_CHECKING:
    from ksqlkit.engine.live import LiveContext
    from ksqlkit.engine.runtime.materialization import Materialization, StoredRow

_HIDDEN: Final = ("ROWPARTITION", "ROWOFFSET")
_KINDS: Final[dict[type, T.SqlType]] = {
    N.StringLiteral: T.STRING,
    N.IntegerLiteral: T.INTEGER,
    N.LongLiteral: T.BIGINT,
}
Literal = N.StringLiteral | N.IntegerLiteral | N.LongLiteral
Row = Callable[[tuple[Any, ...]], tuple[Any, ...]]


def run_pull(
    ctx: LiveContext, prepared: Prepared, pump: Callable[[float | None], bool]
) -> PullResult | PushQuery | PendingPull:
    """Answer a SELECT without EMIT. Raises StatementError with ksqlDB's messages for what pull queries cannot do."""
    node = prepared.node
    assert isinstance(node, N.QueryStatement)
    require_sources(ctx, node.query)
    query, scope = qualify_query(node.query, ctx.catalog)
    if query.limit is not None and not ctx.settings(prepared)["ksql.query.pull.limit.clause.enabled"]:
        raise StatementError(
            "LIMIT clause in pull queries is currently disabled. You can enable them by setting "
            f"ksql.query.pull.limit.clause.enabled=true.{HELP}"
        )
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
    pull = Pull(ctx, query, source, ctx.settings(prepared))
    pull.check_where(prepared.text)
    table = ctx.materialization(source.query_id) if source.query_id else None
    if table is None:
        raise StatementError(
            f"The `{source.name}` table isn't queryable. To derive a queryable table, you can do "
            f"'CREATE TABLE QUERYABLE_{source.name} AS SELECT * FROM {source.name}'.{HELP}"
        )
    found = pull.run(table)
    if isinstance(found, PullResult) and not prepared.overrides:
        ctx.repeated.keep(prepared.written, pull)
    return found


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
            names = ", ".join(f"`{n}`" for n in hidden)
            raise StatementError(
                f"Pull queries don't support the following columns in {place} clauses: {names}\n{HELP}"
            )


def _as_stored(source: DataSource) -> Callable[[tuple[Any, ...]], tuple[Any, ...]] | None:
    """What becomes of a table's values in ksqlDB's state, written in the table's format: without PROTOBUF's wrappers
    nulls are zeros and empty strings, and a DECIMAL has its scale (the sum of no values is a plain 0). None where
    nothing changes."""
    options = tuple(o for o in source.value_format.options if o[0] == "NULLABLE_REPRESENTATION")
    if not options and source.value_format.name in ("PROTOBUF", "PROTOBUF_NOSR"):
        fmt = Format("PROTOBUF_NOSR")
        write = make_serializer(fmt, source.schema.value, is_key=False)
        read = make_deserializer(fmt, source.schema.value, is_key=False)
        return lambda values: read(write(values)) or values
    units = [
        Decimal((0, (1,), -c.type.scale)) if isinstance(c.type, T.Decimal) else None
        for c in source.schema.value
    ]
    if not any(units):
        return None
    return lambda values: tuple(
        unit * 0 if unit is not None and v == 0 else v for unit, v in zip(units, values, strict=True)
    )


@dataclass(frozen=True, slots=True)
class PendingPull:
    """A pull query whose rows are found; `finish` asks remote functions about them, and needs no lock."""

    finish: Callable[[], PullResult]


class Pull:
    """One pull query on a table."""

    def __init__(self, ctx: LiveContext, query: N.Query, source: DataSource, settings: Properties) -> None:
        self.ctx, self.query, self.source, self.settings = ctx, query, source, settings
        bounds = [Column(n, t) for n, t in WINDOW_BOUNDS.items()] if source.window else []
        schema = source.schema
        self.star = (*schema.key, *bounds, *schema.value)
        self.columns = (*schema.key, *schema.value, Column("ROWTIME", T.BIGINT), *bounds)
        self.types = {c.name: c.type for c in self.columns}
        self.keys = {c.name for c in (*schema.key, *bounds)}
        self.where = None if query.where is None else self._resolved(query.where, "WHERE")
        self.shown, self.exprs = self._select()
        # By id: the literals of WHERE that `look_up` gives values.
        self._open: dict[int, tuple[str, T.SqlType]] = {}
        self._given: Mapping[int, Any] = {}

    def check_where(self, text: str) -> None:
        """Raise StatementError unless WHERE is a BOOLEAN; `text` is the whole query's."""
        if self.where is None:
            return
        check_likes(self.where, self.types)
        try:
            check_condition(self.where, "WHERE", self.types, self.ctx.functions)
        except StatementError as error:
            raise StatementError(
                f"{error.message}\nStatement: {text}", location=error.location, hint=error.hint
            ) from None

    @cached_property
    def parts(self) -> list[Conjunct] | None:
        """What WHERE says of keys."""
        return None if self.where is None else conjuncts(self.where, [c.name for c in self.source.schema.key])

    @property
    def by_key(self) -> bool:
        """Whether WHERE names the keys to look up."""
        return self.parts is not None and all(p.keys is not None for p in self.parts)

    def is_small(self, keys: int) -> bool:
        """Whether no more than so many keys of a table without windows are looked up."""
        return self.source.window is None and len(self.parts or ()) <= keys

    @cached_property
    def _row(self) -> tuple[Row | None, Row]:
        """The compiled condition and projection."""
        functions = self.ctx.functions
        columns = (*self.columns, *(Column(n, t) for n, t in self._open.values()))
        where = self.where
        if where is not None:
            where = trees.rewrite(
                where, lambda e: N.ColumnRef(o[0]) if (o := self._open.get(id(e))) else None
            )
        test = None if where is None else compile_function([where], columns, functions)
        return test, compile_function(self.exprs, self.columns, functions)

    def open_literals(self, literals: Sequence[Literal]) -> None:
        """Let literals of WHERE have other values of their type in `look_up`."""
        self._open = {id(e): (f"KSQLKIT_GIVEN_{i}", _KINDS[type(e)]) for i, e in enumerate(literals)}
        self.__dict__.pop("_row", None)

    def look_up(self, table: Materialization, given: Mapping[int, Any]) -> PullResult:
        """The rows by key, with other values for the open literals."""
        self._given = given
        return self._result(self._rows(table, tuple(given.values())))

    def run(self, table: Materialization) -> PullResult | PendingPull:
        """Look up, filter, project, limit."""
        whole = [*self.exprs] if self.where is None else [self.where, *self.exprs]
        if split_remote(whole, self.ctx.functions, self.types)[0]:
            held = list(self._flat_rows(table))
            return PendingPull(lambda: self._ask(held))
        return self._result(self._rows(table))

    def _flat_rows(self, table: Materialization) -> Iterator[tuple[Any, ...]]:
        stored = _as_stored(self.source)
        for row in self._candidates(table):
            yield _flat(row if stored is None else (row[0], stored(row[1]), *row[2:]))

    def _rows(self, table: Materialization, given: tuple[Any, ...] = ()) -> tuple[tuple[Any, ...], ...]:
        test, project = self._row
        rows = self._flat_rows(table)
        if test is not None:
            rows = (row for row in rows if self._holds(test, (*row, *given)))
        return tuple(map(project, islice(rows, self.query.limit)))

    def _ask(self, rows: list[tuple[Any, ...]]) -> PullResult:
        """The result where remote functions are called: one call for all rows each, first those of WHERE."""
        functions, columns, errors = self.ctx.functions, [*self.columns], RowErrors()
        if self.where is not None:
            (where,), known, answered = answer_rows([self.where], columns, functions, rows, errors.add)
            test = compile_function([where], known, functions)
            rows = [r for r, full in zip(rows, answered, strict=True) if self._holds(test, full)]
        exprs, columns, rows = answer_rows(
            self.exprs, columns, functions, rows[: self.query.limit], errors.add
        )
        return self._result(tuple(map(compile_function(exprs, columns, functions), rows)), errors)

    def _result(self, rows: tuple[tuple[Any, ...], ...], errors: RowErrors | None = None) -> PullResult:
        query_id = f"query_{self.ctx.clock.now()}"
        return PullResult(query_id, self.shown, rows, row_errors=errors or RowErrors())

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
        twice = next((c for i, c in enumerate(columns) if c.name in {d.name for d in columns[:i]}), None)
        if twice is not None:
            raise StatementError(f"Duplicate value columns found in schema: `{twice.name}` {twice.type}")
        return tuple(columns), exprs

    # ------------------------------------------------------------ which rows to look at

    def _candidates(self, table: Materialization) -> Iterable[StoredRow]:
        if not self.settings["ksql.query.pull.table.scan.enabled"]:
            if self.where is None:
                raise refusal("Missing WHERE clause", windowed=self.source.window is not None)
            ranges = bool(self.settings["ksql.query.pull.range.scan.enabled"])
            require_keys(self.parts or [], self.source, ranges=ranges)
        if self.by_key:
            return self._lookups(table, self.parts or [])
        return table.scan() if self.source.window is None else table.scan_windows()

    def _lookups(self, table: Materialization, parts: Sequence[Conjunct]) -> Iterator[StoredRow]:
        """Rows by key, each key once; window bounds of the same key are joined."""
        wanted: dict[Any, tuple[tuple[Any, ...], Bounds, Bounds]] = {}
        for part in parts:
            assert part.keys is not None
            key = tuple(self._key_part(e, c) for e, c in zip(part.keys, self.source.schema.key, strict=True))
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
            value, _ = self._value(expr)
            if isinstance(value, int):
                found = found.narrowed(op, value)
        return found

    def _key_part(self, expr: N.Expression, column: Column) -> Any:
        """The value a key column is compared with. Raises StatementError where it is null or of another type."""
        value, source = self._value(expr)
        if value is None:
            raise StatementError(f"Primary key columns can not be NULL: {print_expression(expr)}")
        try:
            return coerce(value, source, column.type)
        except Misfit:
            raise StatementError(
                f"'{shown(value)}' can not be converted to the type of the key column: "
                f"{column.name} {column.type} KEY"
            ) from None

    def _value(self, expr: N.Expression) -> tuple[Any, T.SqlType | None]:
        """The value and type of an expression without columns."""
        if isinstance(expr, N.NullLiteral):
            return None, None
        if type(expr) in _KINDS:
            return self._given.get(id(expr), expr.value), _KINDS[type(expr)]  # type: ignore[attr-defined]
        kind = value_type(expr, {}, self.ctx.functions)
        return compile_function([expr], (), self.ctx.functions)(())[0], kind


def _hashable(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_hashable(v) for v in value)
    if isinstance(value, dict):
        return tuple((k, _hashable(v)) for k, v in value.items())
    return value


def _flat(row: StoredRow) -> tuple[Any, ...]:
    key, value, timestamp, window = row
    return (*key, *value, timestamp) if window is None else (*key, *value, timestamp, *window)
