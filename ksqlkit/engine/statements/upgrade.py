"""CREATE OR REPLACE: what may take the place of what."""

from __future__ import annotations

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis.text import show
from ksqlkit.engine.catalog import DataSource, Format
from ksqlkit.engine.plan.steps import (
    Aggregate,
    AggregateCall,
    Filter,
    FlatMap,
    ForeignKeyJoin,
    GroupBy,
    Project,
    QueryPlan,
    SelectKey,
    SinkStep,
    SourceStep,
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

    As in ksqlDB, filters and projections may come and go; a source, new key, group or plain aggregate must find its
    like at the same place; windows, joins and table functions cannot be replaced at all.
    """
    _check(_Node(old.unpruned or old.root), _Node(new.unpruned or new.root))


class _Node:
    """A step under the name of ksqlDB's class for it, with what must match."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.kind = _kind(step)
        self.passive = isinstance(step, Filter | Project)

    @property
    def below(self) -> _Node:
        return _Node(self.step.inputs[0])

    @property
    def name(self) -> str:
        side = "Stream" if self.kind == "STREAM" else "Table"
        match self.step:
            case Aggregate(kind="TABLE"):
                return "TableAggregate"
            case Aggregate(window=window):
                return "StreamAggregate" if window is None else "StreamWindowedAggregate"
            case GroupBy(rekey=rekey):
                return f"{side}GroupBy" if rekey or side == "Table" else "StreamGroupByKey"
            case SourceStep(source=source) if source.window is not None:
                return f"Windowed{side}Source"
            case SourceStep() | SinkStep() | SelectKey() | FlatMap() | Filter():
                return side + type(self.step).__name__.removesuffix("Step")
            case Project():
                return f"{side}Select"
            case ForeignKeyJoin():
                return "ForeignKeyTableTableJoin"
        return type(self.step).__name__

    def properties(self) -> dict[str, object]:
        """What must not change, by the name messages have for it."""
        match self.step:
            case SourceStep(source=s):
                time = (s.timestamp_column, s.timestamp_format)
                return {
                    "topicName": s.topic,
                    "formats": (s.key_format, s.value_format),
                    "timestampColumn": time,
                }
            case SinkStep(sink=s):
                time = (s.timestamp_column, s.timestamp_format)
                return {
                    "formats": (s.key_format, s.value_format),
                    "topicName": s.topic,
                    "timestampColumn": time,
                }
            case SelectKey(key=key):
                return {"keyExpressions": key}
            case GroupBy(by=by, rekey=True):
                return {"group by clause": by}
            case Aggregate(calls=calls, carried=carried):
                return {"columns not part of aggregate": carried, "aggregate functions": calls}
        return {}


_REPLACEABLE = (
    *("StreamSink", "TableSink", "StreamSource", "TableSource", "StreamSelectKey", "TableSelectKey"),
    *("StreamGroupBy", "StreamGroupByKey", "StreamAggregate"),
)


def _kind(step: Step) -> str:
    match step:
        case SourceStep(source=source):
            return source.kind
        case Aggregate() | TableTableJoin() | ForeignKeyJoin():
            return "TABLE"
        case StreamStreamJoin() | StreamTableJoin():
            return "STREAM"
    return _kind(step.inputs[0])


def _check(old: _Node, new: _Node) -> None:
    """ksqlDB's walk down both plans: at a step that may come and go the two change roles."""
    if old.passive:
        _check(new, old.below)
        return
    if old.name not in _REPLACEABLE:
        raise StatementError(f"Upgrades not yet supported for {old.name}")
    if isinstance(old.step, SourceStep):
        while not isinstance(new.step, SourceStep):
            if len(new.step.inputs) > 1:
                raise StatementError(
                    "Query is not upgradeable. Cannot change a non-join source into a join source."
                )
            if not new.passive:
                raise StatementError(
                    f"Query is not upgradeable. Cannot add a {new.name} step that is not in the original query plan."
                )
            new = new.below
    _must_match(old, new)
    if not isinstance(old.step, SourceStep):
        _check(old.below, new.below)


def _must_match(old: _Node, new: _Node) -> None:
    was, now = {"class": old.name, **old.properties()}, {"class": new.name, **new.properties()}
    for what in was:
        if was[what] != now.get(what):
            raise StatementError(
                f"Query is not upgradeable. Plan step of type {old.name} must have matching {what}. "
                f"Values differ: {_shown(was[what])} vs. {_shown(now.get(what))}"
            )


def _shown(value: object) -> str:
    match value:
        case tuple():
            return f"[{', '.join(_shown(v) for v in value)}]"
        case N.Expression():
            return show(value)
        case Format(name=name):
            return name
        case AggregateCall(function=function, args=args):
            return f"{function}({', '.join(show(a) for a in args)})"
    return str(value)
