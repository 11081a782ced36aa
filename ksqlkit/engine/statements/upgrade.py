"""CREATE OR REPLACE: what may take the place of what."""

from __future__ import annotations

from ksqlkit.engine.catalog import DataSource
from ksqlkit.engine.plan.steps import (
    Aggregate,
    Filter,
    FlatMap,
    ForeignKeyJoin,
    GroupBy,
    Project,
    QueryPlan,
    SelectKey,
    SinkStep,
    Step,
    StreamStreamJoin,
    StreamTableJoin,
    TableTableJoin,
)
from ksqlkit.engine.schema import Column
from ksqlkit.errors import StatementError


def check_upgrade(old: DataSource, new: DataSource) -> None:
    """Raise StatementError unless `new` keeps the kind, topic, formats and columns of `old` (it may add columns)."""
    issues = []
    names = {"STREAM": "KSTREAM", "TABLE": "KTABLE"}
    if old.kind != new.kind:
        issues.append(_issue(old, "type", names[old.kind], names[new.kind]))
    if _topic(old) != _topic(new):
        issues.append(_issue(old, "topic", _topic(old), _topic(new)))
    if (old.timestamp_column, old.timestamp_format) != (new.timestamp_column, new.timestamp_format):
        issues.append(_issue(old, "timestampColumn", _timestamp(old), _timestamp(new)))
    reason = None
    if lost := _lost(old.schema.key, new.schema.key):
        shown = ", ".join(f"`{c.name}` {c.type} KEY" for c in lost)
        reason = (
            "Key columns must be identical. The following key columns are changed, missing or reordered: "
            f"[{shown}]"
        )
    elif len(old.schema.key) != len(new.schema.key):
        reason = "Key columns must be identical."
    elif lost := _lost(old.schema.value, new.schema.value):
        shown = ", ".join(f"`{c.name}` {c.type}" for c in lost)
        reason = f"The following columns are changed, missing or reordered: [{shown}]"
    if reason:
        text = _issue(old, "schema", old.schema.describe(), new.schema.describe())
        issues.append(f"{text}. ({reason})")
    if issues:
        raise StatementError("Cannot upgrade data source: " + "\n\tAND ".join(issues))


def _issue(old: DataSource, what: str, was: str, becomes: str) -> str:
    return f"DataSource '`{old.name}`' has {what} = {was} which is not upgradeable to {becomes}"


def _topic(source: DataSource) -> str:
    return f"{source.topic} ({source.key_format.name}, {source.value_format.name})"


def _timestamp(source: DataSource) -> str:
    return f"{source.timestamp_column or 'none'} {source.timestamp_format or ''}".strip()


def _lost(old: tuple[Column, ...], new: tuple[Column, ...]) -> list[Column]:
    """Columns of `old` that `new` does not have at the same place."""
    return [c for i, c in enumerate(old) if i >= len(new) or new[i] != c]


def check_query_upgrade(old: QueryPlan, new: QueryPlan) -> None:
    """Raise StatementError unless the new query can go on from the old one's state and positions.

    Filters and projections may change; sources, keys, aggregates, windows and joins may not.
    """
    before, after = _skeleton(old), _skeleton(new)
    if old.sources != new.sources:
        raise StatementError(
            "Query is not upgradeable. Plan step of type SourceStep must have matching sources. "
            f"Values differ: [{', '.join(old.sources)}] vs. [{', '.join(new.sources)}]"
        )
    for step in after:
        if isinstance(step, StreamStreamJoin | StreamTableJoin | TableTableJoin | ForeignKeyJoin):
            raise StatementError(f"Upgrades not yet supported for {type(step).__name__}")
    if [_shape(s) for s in before] != [_shape(s) for s in after]:
        raise StatementError(
            "Query is not upgradeable. Steps that keep state or change the key must stay the same: "
            f"[{', '.join(s.name for s in before)}] vs. [{', '.join(s.name for s in after)}]"
        )


def _skeleton(plan: QueryPlan) -> list[Step]:
    return [s for s in plan.root.walk() if not isinstance(s, Filter | Project | SinkStep)]


def _shape(step: Step) -> tuple[object, ...]:
    """What must not change in a step."""
    match step:
        case Aggregate():
            return (step.name, step.calls, step.window, step.final, step.carried)
        case GroupBy():
            return (step.name, step.by)
        case SelectKey():
            return (step.name, step.key)
        case FlatMap():
            return (step.name, step.calls)
        case _:
            return (step.name,)
