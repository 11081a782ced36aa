"""The topics Kafka Streams would keep for a query: changelogs of its stores and repartition topics.

The embedded engine needs none of them (state lies in the log, rows move between tasks in memory); they are named so
that SHOW ALL TOPICS lists what a ksqlDB cluster would have. Stores of stream-stream joins are left out: their names
number the nodes of Kafka Streams' own topology.
"""

from __future__ import annotations

from collections.abc import Iterator

from ksqlkit.engine.plan.formats import INFERS_SCHEMA
from ksqlkit.engine.plan.steps import (
    Aggregate,
    QueryPlan,
    SelectKey,
    SourceStep,
    Step,
    StreamStreamJoin,
    StreamTableJoin,
    TableTableJoin,
)

PREFIX = "_confluent-ksql-{service}query_{query}-"


def internal_topics(plan: QueryPlan, service: str) -> Iterator[tuple[str, int]]:
    """(name, partitions) of each internal topic of a query."""
    prefix = PREFIX.format(service=service, query=plan.query_id)
    partitions = max(s.source.partitions for s in plan.root.walk() if isinstance(s, SourceStep))
    yield from ((prefix + name, partitions) for name in _names(plan.root, parent=None))


def _names(step: Step, parent: Step | None) -> Iterator[str]:
    match step:
        case SourceStep() if step.source.kind == "TABLE" and step.materialized:
            if not isinstance(parent, SelectKey):  # then the re-keyed table is the one that is kept
                yield f"{step.name.removesuffix('-Source')}-Reduce-changelog"
        case SelectKey() if _kind(step) == "TABLE":
            yield f"{step.name}-SelectKey-repartition"
            yield f"{step.name}-Materialize-changelog"
        case StreamStreamJoin():
            yield from (
                f"{step.name}-{side}-repartition"
                for side, below in (("left", step.left), ("right", step.right))
                if isinstance(below, SelectKey) or _is_keyed_anew(below)
            )
        case StreamTableJoin() if isinstance(step.left, SelectKey):
            yield f"{step.name}-repartition"
        case Aggregate():
            if step.input.rekey:
                yield f"{step.input.name}-repartition"
            yield f"{step.name}-Materialize-changelog"
    for below in step.inputs:
        yield from _names(below, step)


def _is_keyed_anew(step: Step) -> bool:
    """Whether ksqlDB repartitions a windowed source as it is: its key's bytes hold a schema id."""
    return (
        isinstance(step, SourceStep)
        and step.source.window is not None
        and (step.source.key_format.name in INFERS_SCHEMA)
    )


def _kind(step: Step) -> str:
    """Whether a step's rows are a stream's or a table's."""
    match step:
        case SourceStep():
            return step.source.kind
        case Aggregate() | TableTableJoin():
            return "TABLE"
        case StreamStreamJoin() | StreamTableJoin():
            return "STREAM"
        case _:
            return _kind(step.inputs[0])
