"""Which module writes which step, and what flows between steps."""

from __future__ import annotations

from typing import Any

from ksqlkit.dialect.nodes import SessionWindow
from ksqlkit.engine.operators import (
    aggregate,
    filter,
    flat_map,
    foreign_key_join,
    group,
    project,
    remote,
    select_key,
    sink,
    source,
    stream_join,
    stream_table_join,
    table_join,
)
from ksqlkit.engine.operators.generator import Generator
from ksqlkit.engine.operators.row import Row
from ksqlkit.engine.plan.steps import (
    Aggregate,
    Filter,
    FlatMap,
    ForeignKeyJoin,
    GroupBy,
    Project,
    Remote,
    SelectKey,
    SinkStep,
    SourceStep,
    Step,
    StreamStreamJoin,
    StreamTableJoin,
    TableTableJoin,
)

_EMIT: dict[type[Step], Any] = {
    Aggregate: aggregate.emit,
    Filter: filter.emit,
    FlatMap: flat_map.emit,
    ForeignKeyJoin: foreign_key_join.emit,
    GroupBy: group.emit,
    Project: project.emit,
    Remote: remote.emit,
    SelectKey: select_key.emit,
    SinkStep: sink.emit,
    StreamStreamJoin: stream_join.emit,
    StreamTableJoin: stream_table_join.emit,
    TableTableJoin: table_join.emit,
}
_VIEW: dict[type[Step], Any] = {
    Aggregate: aggregate.view,
    Filter: filter.view,
    ForeignKeyJoin: foreign_key_join.view,
    Project: project.view,
    Remote: remote.view,
    SelectKey: select_key.view,
    SourceStep: source.view,
    TableTableJoin: table_join.view,
}


class Registry:
    """The dispatch that the generator is given."""

    def emit(self, gen: Generator, step: Step, side: str, row: Row) -> None:
        """Write a step's code for a row that arrives at `side` (input, left or right)."""
        _EMIT[type(step)](gen, step, row, side)

    def finish(self, gen: Generator, step: Step, row: Row) -> None:
        """Write the end of a plan without a sink."""
        sink.emit_rows(gen, step, row)

    def produce(self, gen: Generator, step: Step) -> str:
        """Write a source's function; returns its name."""
        assert isinstance(step, SourceStep)
        return source.produce(gen, step)

    def view(self, gen: Generator, step: Step, name: str) -> None:
        """Write a step's look-up function."""
        _VIEW[type(step)](gen, step, name)

    def is_table(self, step: Step) -> bool:
        """Whether the step's rows are a table's."""
        if isinstance(step, SourceStep):
            return step.source.kind == "TABLE"
        if isinstance(step, Aggregate | TableTableJoin | ForeignKeyJoin):
            return True
        if isinstance(step, StreamStreamJoin | StreamTableJoin | FlatMap):
            return False
        return self.is_table(step.inputs[0])

    def windowed(self, step: Step) -> bool:
        """Whether the step's rows carry a window."""
        if isinstance(step, SourceStep):
            return step.source.window is not None
        if isinstance(step, Aggregate):
            return step.window is not None
        if isinstance(step, GroupBy):
            return False
        return self.windowed(step.inputs[0])

    def session(self, step: Step) -> bool:
        """Whether that window is a session."""
        if isinstance(step, SourceStep):
            return step.source.window is not None and step.source.window.type == "SESSION"
        if isinstance(step, Aggregate):
            return isinstance(step.window, SessionWindow)
        return self.windowed(step) and self.session(step.inputs[0])

    def wants_change(self, gen: Generator, step: Step, side: str) -> bool:
        """Whether the step takes the rows of the table below it packed."""
        if isinstance(step, TableTableJoin | ForeignKeyJoin):
            return True
        if isinstance(step, GroupBy | Filter | SelectKey):
            return self.is_table(step.input)
        if isinstance(step, StreamTableJoin):
            return side == "right"
        if isinstance(step, Project | Remote):
            return self.is_table(step.input) and gen.wants_change(step)
        return False

    def viewed(self, gen: Generator, step: Step) -> bool:
        """Whether something looks rows of the table up: a join above it, or pull queries."""
        while id(step) in gen.parent:
            step = gen.parent[id(step)][0]
            if isinstance(step, TableTableJoin | ForeignKeyJoin | StreamTableJoin):
                return True
            if isinstance(step, GroupBy | SelectKey):
                return False
        return gen.queryable

    def wants_old(self, gen: Generator, step: Step, side: str) -> int:
        """Whether the step asks the table below it for old rows: 0 no, 1 where they are at hand, 2 always.

        Kafka Streams calls 1 and 2 enableSendingOldValues(false) and (true).
        """
        if isinstance(step, ForeignKeyJoin):
            return 2
        if isinstance(step, TableTableJoin):
            return 2 if table_join.outer(step, side) else gen.wants_old(step)
        if isinstance(step, GroupBy):
            return 2 if self.is_table(step.input) else 0
        if isinstance(step, Filter):
            return max(1, gen.wants_old(step)) if self.is_table(step.input) else 0
        if isinstance(step, Project | Remote):
            return gen.wants_old(step)
        return 0
