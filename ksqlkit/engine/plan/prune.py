"""Drop columns that no later step needs, so that rows stay small."""

from __future__ import annotations

from dataclasses import replace

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis.trees import columns_of
from ksqlkit.engine.plan.steps import (
    Aggregate,
    Filter,
    FlatMap,
    ForeignKeyJoin,
    GroupBy,
    Project,
    SelectKey,
    SinkStep,
    SourceStep,
    Step,
    StreamStreamJoin,
    StreamTableJoin,
    TableTableJoin,
)
from ksqlkit.engine.schema import Schema

Needed = frozenset[str]


def prune(root: Step) -> Step:
    """The plan with value columns left only where they are used; keys and the root's columns stay."""
    return _prune(root, frozenset(c.name for c in root.schema.columns))


def _names(*exprs: N.Expression) -> Needed:
    return frozenset(c.name for c in columns_of(*exprs))


def _kept(schema: Schema, needed: Needed) -> Schema:
    return Schema(schema.key, tuple(c for c in schema.value if c.name in needed))


def _prune(step: Step, needed: Needed) -> Step:
    """`needed` are the columns of the step that are used above it."""
    schema = _kept(step.schema, needed)
    values = frozenset(c.name for c in schema.value)
    match step:
        case SourceStep():
            names = {c.name for c in schema.columns}
            origins = tuple(
                o for c, o in zip(step.schema.columns, step.origins, strict=True) if c.name in names
            )
            return replace(step, schema=schema, origins=origins)
        case Filter():
            below = _prune(step.input, values | _names(step.predicate))
            return replace(step, schema=below.schema, input=below)  # rows go through a filter as they are
        case Project():
            return replace(step, input=_prune(step.input, _names(*step.key, *step.value)))
        case SelectKey():
            return replace(step, schema=schema, input=_prune(step.input, values | _names(*step.key)))
        case FlatMap():
            return replace(
                step, input=_prune(step.input, values | _names(*step.calls)), schema=_all_calls(step, schema)
            )
        case GroupBy():
            return replace(step, schema=schema, input=_prune(step.input, values | _names(*step.by)))
        case Aggregate():
            used = _names(*(a for call in step.calls for a in call.args)) | frozenset(step.carried)
            group = _prune(step.input, used)
            assert isinstance(group, GroupBy)
            return replace(step, input=group)
        case StreamStreamJoin() | StreamTableJoin() | TableTableJoin():
            return replace(
                step, schema=schema, left=_prune(step.left, values), right=_prune(step.right, values)
            )
        case ForeignKeyJoin():
            left = _prune(step.left, values | _names(step.foreign_key))
            return replace(step, schema=schema, left=left, right=_prune(step.right, values))
        case SinkStep():
            return replace(step, input=_prune(step.input, needed))
    raise AssertionError(f"unknown step {type(step).__name__}")


def _all_calls(step: FlatMap, schema: Schema) -> Schema:
    """Every table function decides how many rows there are, so its column stays."""
    kept = {c.name for c in schema.value} | set(step.columns)
    return Schema(schema.key, tuple(c for c in step.schema.value if c.name in kept))
