"""From a parsed query to its plan: a sequence of passes over a relation under construction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis.qualify import qualify_query
from ksqlkit.engine.catalog import Catalog
from ksqlkit.engine.functions.contract import FunctionRegistry
from ksqlkit.engine.plan.checks import CHECKS
from ksqlkit.engine.plan.filters import where
from ksqlkit.engine.plan.flatten import flatten
from ksqlkit.engine.plan.grouping import aggregate, is_aggregation
from ksqlkit.engine.plan.joins import from_clause
from ksqlkit.engine.plan.keying import partition_by
from ksqlkit.engine.plan.projection import select
from ksqlkit.engine.plan.prune import prune
from ksqlkit.engine.plan.relation import Relation, Request, SinkRequest
from ksqlkit.engine.plan.sink import sink as into
from ksqlkit.engine.plan.steps import QueryPlan, SinkStep


def _results(request: Request, relation: Relation) -> Relation:
    return (aggregate if is_aggregation(request) else select)(request, relation)


# After FROM, in the order in which ksqlDB applies the clauses.
PASSES: Final[tuple[Callable[[Request, Relation], Relation], ...]] = (
    where,
    partition_by,
    flatten,
    _results,
    into,
)


def plan_query(
    query: N.Query,
    *,
    catalog: Catalog,
    functions: FunctionRegistry,
    query_id: str,
    sink: SinkRequest | None = None,
    statement: str = "",
    properties: Mapping[str, Any] | None = None,
) -> QueryPlan:
    """Plan a query that runs until it is stopped: into a sink, or to a client (sink None).

    `properties` are the session's settings. Raises StatementError with ksqlDB's message for everything that ksqlDB
    refuses before it runs a query.
    """
    qualified, scope = qualify_query(query, catalog)
    request = Request(qualified, scope, functions, sink, query_id, properties or {}, statement)
    for check in CHECKS:
        check(request)
    relation = from_clause(request)
    for step in PASSES:
        relation = step(request, relation)
    root = prune(relation.step)
    return QueryPlan(
        query_id=query_id,
        kind=relation.kind,
        root=root,
        schema=root.schema,
        window=relation.window,
        sources=tuple(s.source.name for s in scope.sources),
        emit=query.emit or "CHANGES",
        sink=root.sink if isinstance(root, SinkStep) else None,
        columns=() if sink is not None else relation.layout,
        limit=query.limit,
        statement=statement,
        settings={n: v for n, v in request.properties.items() if n.startswith("ksql.functions.")},
        unpruned=relation.step,
    )
