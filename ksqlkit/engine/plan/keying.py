"""New keys: PARTITION BY, and the repartition that some joins need first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis.naming import Namer, joined
from ksqlkit.engine.analysis.text import fail, show
from ksqlkit.engine.analysis.types import value_type
from ksqlkit.engine.catalog import Format, WindowInfo
from ksqlkit.engine.plan.formats import INFERS_SCHEMA, internal_key_format
from ksqlkit.engine.plan.relation import Relation, Request, ordered
from ksqlkit.engine.plan.sources import missing_key
from ksqlkit.engine.plan.steps import SelectKey
from ksqlkit.engine.schema import Column, Schema

WINDOWED = (
    "Implicit repartitioning of windowed sources is not supported. "
    "See https://github.com/confluentinc/ksql/issues/4385."
)

JoinFormat = tuple[Format, WindowInfo | None]  # the key format of a join, and how its keys are windowed


def partition_by(request: Request, relation: Relation) -> Relation:
    """PARTITION BY columns, expressions or NULL."""
    given = request.query.partition_by
    if not given:
        return relation
    if any(isinstance(e, N.NullLiteral) for e in given):
        if len(given) > 1:
            raise fail("Cannot PARTITION BY multiple columns including NULL", given[0])
        return _without_key(relation)
    exprs = tuple(relation.resolve(e) for e in given)
    if not needs_key(relation, exprs):
        return replace(relation, key_missing=lambda r: _key_missing(r, given))
    keyed = select_key(request, relation, exprs, "PartitionBy")
    new = tuple(c.name for c in keyed.step.schema.key)
    names: dict[N.Expression, str] = dict(zip(exprs, new, strict=True))

    def resolve(expr: N.Expression) -> N.Expression:
        inner = relation.resolve(expr)
        return N.ColumnRef(names[inner], span=expr.span) if inner in names else inner

    def star(alias: str | None) -> tuple[str, ...]:
        if alias is not None and request.scope.is_join:
            raise fail(
                f"'{alias}.*' cannot be used in a join with PARTITION BY.", request.query, hint="use `*`"
            )
        return ordered(keyed.layout, new)

    return replace(keyed, resolve=resolve, star=star, key_missing=lambda r: _key_missing(r, given))


def _key_missing(request: Request, given: tuple[N.Expression, ...]) -> None:
    projection = request.projection
    if not all(e in projection for e in given):
        missing_key(request, "partitioning expression", list(given))


def _without_key(relation: Relation) -> Relation:
    """PARTITION BY NULL: the old key becomes values."""
    _streams_only(relation, [N.NullLiteral()])
    old = relation.step.schema
    step = SelectKey("PartitionBy", Schema((), old.value + old.key), relation.step, (), False, Format("NONE"))
    return replace(
        relation,
        step=step,
        keys={},
        key_format=Format("NONE"),
        star=lambda _alias: ordered(relation.layout, ()),
        key_missing=lambda _r: None,
    )


def needs_key(relation: Relation, exprs: tuple[N.Expression, ...]) -> bool:
    """Whether the expressions are anything but the one key column there is."""
    keys = tuple(relation.step.schema.key)
    if len(keys) != 1 or len(exprs) != 1:
        return True
    return not (isinstance(exprs[0], N.ColumnRef) and relation.keys.get(exprs[0].name) == keys[0].name)


def _streams_only(relation: Relation, exprs: Sequence[N.Expression]) -> None:
    if relation.kind == "TABLE":
        keys = relation.step.schema.key
        if len(keys) > 1:
            raise fail(
                "Cannot repartition a TABLE source. If this is a join, joins on tables with multiple columns is not "
                "yet supported."
            )
        raise fail(
            "Cannot repartition a TABLE source. If this is a join, make sure that the criteria uses the TABLE's key "
            f"column {keys[0].name} instead of [{', '.join(map(show, exprs))}]"
        )
    if relation.window is not None:
        raise fail(WINDOWED)


def select_key(
    request: Request,
    relation: Relation,
    exprs: tuple[N.Expression, ...],
    name: str,
    *,
    drop_null: bool = False,
    key_format: Format | None = None,
    prefix: str | None = None,
) -> Relation:
    """Rows keyed by the expressions: named after the column, or KSQL_COL_n; the old key becomes values."""
    _streams_only(relation, exprs)
    old = relation.step.schema
    types = relation.types
    namer = Namer([old])

    def named(expr: N.Expression) -> str:
        if isinstance(expr, N.ColumnRef):
            return expr.name
        return namer.name(expr) if prefix is None else joined(prefix, namer.name(expr))

    key = tuple(Column(named(e), value_type(e, types, request.functions)) for e in exprs)
    new = tuple(c.name for c in key)
    if len(set(new)) < len(new):
        twice = next(c for i, c in enumerate(key) if c.name in new[:i])
        raise fail(f"Duplicate key columns found in schema: `{twice.name}` {twice.type} KEY", exprs[0])
    by_name = {c.name: c for c in (*old.columns, *key)}
    layout = (*relation.layout, *(n for n in new if n not in relation.layout))
    fmt = key_format or relation.key_format
    fmt = internal_key_format(
        request.default_key_format if fmt.name == "NONE" else fmt, [c.type for c in key]
    )
    schema = Schema(key, tuple(by_name[n] for n in layout if n not in new))
    step = SelectKey(name, schema, relation.step, exprs, drop_null, fmt)
    return replace(relation, step=step, key_format=fmt, layout=layout, keys={n: n for n in new})


def rekey_for_join(
    request: Request, relation: Relation, expr: N.Expression, name: str, alias: str | None, fmt: JoinFormat
) -> Relation:
    """Rows keyed by one side of a join condition, in the join's key format; unchanged if they are so already."""
    if needs_key(relation, (expr,)):
        keyed = select_key(request, relation, (expr,), name, drop_null=True, key_format=fmt[0], prefix=alias)
        return replace(keyed, layout=relation.layout)
    # With formats whose schemas have ids ksqlDB always repartitions: equal keys could differ in their bytes.
    forced = fmt[0].name in INFERS_SCHEMA
    if (relation.key_format, relation.window) == fmt and not forced:
        return relation
    if relation.window is not None:
        if forced and fmt[0] == relation.key_format and relation.kind == "STREAM":
            return relation
        raise fail(WINDOWED)
    key = tuple(N.ColumnRef(c.name) for c in relation.step.schema.key)
    step = SelectKey(
        name, relation.step.schema, relation.step, key, drop_null=relation.kind == "STREAM", key_format=fmt[0]
    )
    return replace(relation, step=step, key_format=fmt[0])
