"""The first look at a query: every column gets its source's alias, every select item a name."""

from __future__ import annotations

from dataclasses import replace

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis.naming import Namer, joined
from ksqlkit.engine.analysis.scope import PARSING, Scope, scope_of, unknown_alias
from ksqlkit.engine.catalog import Catalog
from ksqlkit.errors import StatementError

PREPARING = "Exception while preparing statement: "


def qualify_query(query: N.Query, catalog: Catalog) -> tuple[N.Query, Scope]:
    """The query with qualified columns and an alias on every select expression, and the sources it reads.

    A query that went through this is unchanged by it. Raises StatementError for unknown sources, ambiguous columns
    and unknown qualifiers, with the prefix ksqlDB gives errors of this phase; columns that no source has are left for
    later checks, which know the clause.
    """
    try:
        return _qualify(query, scope_of(query, catalog))
    except StatementError as error:
        if error.message.startswith((PARSING, PREPARING)):
            raise
        raise StatementError(PREPARING + error.message, location=error.location, hint=error.hint) from error


def _qualify(query: N.Query, scope: Scope) -> tuple[N.Query, Scope]:
    namer = Namer(s.source.schema for s in scope.sources)
    select = tuple(_item(item, scope, namer) for item in query.select)
    qualified = replace(
        query,
        select=select,
        source=_from(query.source, scope),
        where=None if query.where is None else scope.qualify(query.where),
        group_by=tuple(scope.qualify(e) for e in query.group_by),
        partition_by=tuple(scope.qualify(e) for e in query.partition_by),
        having=None if query.having is None else scope.qualify(query.having),
    )
    return qualified, scope


def _from(node: N.Source | N.Join, scope: Scope) -> N.Source | N.Join:
    if isinstance(node, N.Source):
        return node
    left = _from(node.left, scope)
    return replace(node, left=left, condition=scope.qualify(node.condition))


def _item(item: N.SelectItem, scope: Scope, namer: Namer) -> N.SelectItem:
    if isinstance(item, N.SelectAll):
        if item.source is not None and scope.named(item.source) is None:
            raise unknown_alias(item.source, item)
        return item
    if isinstance(item, N.SelectStructAll):
        return replace(item, base=scope.qualify(item.base))
    expr = scope.qualify(item.expression)
    return replace(item, expression=expr, alias=item.alias or _alias(expr, scope, namer))


def _alias(expr: N.Expression, scope: Scope, namer: Namer) -> str:
    if not isinstance(expr, N.ColumnRef):
        return namer.name(expr)
    if expr.source is not None and scope.clashes(expr.name):
        return joined(expr.source, expr.name)
    return expr.name
