"""WHERE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis.timestamps import read_timestamps
from ksqlkit.engine.analysis.types import check_condition
from ksqlkit.engine.plan.relation import Relation, Request
from ksqlkit.engine.plan.steps import Filter


def where(request: Request, relation: Relation) -> Relation:
    """Keep the rows for which the condition is true."""
    if request.query.where is None:
        return relation
    return filtered(request, relation, relation.resolve(request.query.where), "WHERE", "WhereFilter")


def filtered(
    request: Request,
    relation: Relation,
    predicate: N.Expression,
    clause: str,
    name: str,
    names: Mapping[str, str] | None = None,
) -> Relation:
    """A filter step, its condition checked to be a BOOLEAN; `names` are what messages call generated columns."""
    predicate = read_timestamps(predicate)
    check_condition(predicate, clause, relation.types, request.functions, names)
    step = Filter(name, relation.step.schema, relation.step, predicate)
    return replace(relation, step=step)
