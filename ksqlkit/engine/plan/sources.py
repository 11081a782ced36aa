"""FROM a single source, and the leaves of joins."""

from __future__ import annotations

from collections.abc import Sequence

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis.naming import joined
from ksqlkit.engine.analysis.scope import AliasedSource
from ksqlkit.engine.analysis.text import fail, listed, show
from ksqlkit.engine.plan.relation import Relation, Request
from ksqlkit.engine.plan.steps import SourceStep
from ksqlkit.engine.schema import PSEUDO, WINDOW_BOUNDS, Column, Schema

_SYNTHETIC_DOCS = "https://cnfl.io/2LV7ouS"


def read_source(request: Request, source: AliasedSource, name: str = "KsqlTopic") -> Relation:
    """The rows of a source with its pseudo columns; in joins every column carries the alias."""
    declared = source.source.schema
    system = {**PSEUDO, **(WINDOW_BOUNDS if source.source.window else {})}
    values = (*declared.headers_last, *(Column(n, t) for n, t in system.items()))
    origins = (*(c.name for c in declared.key), *(c.name for c in values))
    joins = request.scope.is_join

    def own(column: str) -> str:
        return joined(source.alias, column) if joins else column

    schema = Schema(
        tuple(Column(own(c.name), c.type) for c in declared.key),
        tuple(Column(own(c.name), c.type) for c in values),
    )
    materialized = source.source.kind == "TABLE" and (joins or bool(request.query.group_by))
    step = SourceStep(f"{name}-Source", schema, source.source, source.alias, origins, materialized)
    keys = tuple(c.name for c in schema.key)
    return Relation(
        step=step,
        kind=source.source.kind,
        key_format=source.source.key_format,
        window=source.source.window,
        partitions=source.source.partitions,
        layout=(*(c.name for c in schema.value), *keys),
        keys={k: k for k in keys},
        star=lambda _alias: tuple(own(c) for c in source.star()),
        resolve=request.scope.internal,
        key_missing=lambda r: _key_missing(r, source),
    )


def _key_missing(request: Request, source: AliasedSource) -> None:
    keys = [c.name for c in source.source.schema.key]
    projection = request.projection
    if all(N.ColumnRef(k, source.alias) in projection for k in keys):
        return
    missing_key(request, "key column", [N.ColumnRef(k) for k in keys])


def missing_key(
    request: Request,
    what: str,
    keys: Sequence[N.Expression],
    *,
    any_of: bool = False,
    synthetic: bool = False,
) -> None:
    """Raise the error for a projection without the key; `any_of`: one of the keys is enough."""
    assert request.sink is not None
    texts = [show(k) for k in keys]
    several = len(keys) > 1
    docs = f"See {_SYNTHETIC_DOCS}." if synthetic else ""
    why = (
        f"\n{texts[0]} was added as a synthetic key column because the join criteria did not match any source column. "
        "This expression must be included in the projection and may be aliased. "
        if synthetic
        else ""
    )
    raise fail(
        f"Key{'s' if several and not any_of else ''} missing from projection (ie, SELECT). {docs}\n"
        f"The query used to build `{request.sink.name}` must include the {what}{'s' if several else ''} "
        f"{listed(texts, 'or' if any_of else 'and')} in its projection "
        f"(eg, SELECT {texts[0] if any_of else ', '.join(texts)}...).{why}",
        request.query,
        hint=f"add {texts[0]} to the SELECT",
    )
