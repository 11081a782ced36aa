"""WHERE."""

from __future__ import annotations

from dataclasses import replace

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis.types import check_condition
from ksqlkit.engine.plan.relation import Relation, Request
from ksqlkit.engine.plan.steps import Filter


def where(request: Request, relation: Relation) -> Relation:
    """Keep the rows for which the condition is true."""
    if request.query.where is None:
        return relation
    return filtered(request, relation, relation.resolve(request.query.where), "WHERE", "WhereFilter")


def filtered(request: Request, relation: Relation, predicate: N.Expression, clause: str, name: str) -> Relation:
    """A filter step, its condition checked to be a BOOLEAN."""
    check_condition(predicate, clause, relation.types, request.functions)
    step = Filter(name, relation.step.schema, relation.step, predicate)
    return replace(relation, step=step)
