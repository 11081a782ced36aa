"""A query that runs: polls its inputs, calls the generated functions, commits once a poll."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal

from ksqlkit.engine.clock import Clock
from ksqlkit.engine.functions.contract import FunctionRegistry
from ksqlkit.engine.log.protocol import Commit, Log, Output
from ksqlkit.engine.operators.source import time_reader
from ksqlkit.engine.plan.steps import QueryPlan, SourceStep
from ksqlkit.engine.runtime.compiled import CompiledPlan, compile_plan
from ksqlkit.engine.runtime.errors import ProcessingError
from ksqlkit.engine.runtime.inputs import PartitionInput, TimeOf, column_time, merged, record_time
from ksqlkit.engine.runtime.materialization import Materialization, TaskViews
from ksqlkit.engine.runtime.task import Environment
from ksqlkit.engine.serde.registry import SchemaRegistry

__all__ = ["Materialization", "ProcessingError", "RunningQuery", "Stats"]

Status = Literal["RUNNING", "ERROR", "PAUSED"]


@dataclass(slots=True)
class Stats:
    """Counts since the query started here; `last_timestamp` is that of the last record read, -1 before any."""

    messages_in: int = 0
    messages_out: int = 0
    last_timestamp: int = -1
    status: Status = "RUNNING"


class RunningQuery:
    """Runs a plan over a log.

    With `on_rows` the query is transient: rows go there, nothing is stored. Otherwise positions, state and output
    records of a poll go into one commit, and a new RunningQuery of the same id goes on exactly where that left off.
    `offset_reset` says where streams are read from at first; tables are always read from their beginning.
    """

    def __init__(
        self,
        plan: QueryPlan,
        *,
        log: Log,
        functions: FunctionRegistry,
        clock: Clock,
        errors: Callable[[ProcessingError], None],
        on_rows: Callable[[list[tuple[Any, ...]]], None] | None = None,
        offset_reset: str = "latest",
        properties: Mapping[str, Any] | None = None,
        schemas: SchemaRegistry | None = None,
    ) -> None:
        del clock, properties  # nothing here depends on wall-clock time or settings
        self.plan = plan
        self.stats = Stats()
        self._log = log
        self._errors = errors
        self._on_rows = on_rows
        self._reset = offset_reset
        self._functions = functions
        self._schemas = schemas
        topics = log.topics()
        self._sources = [s for s in plan.root.walk() if isinstance(s, SourceStep)]
        self._partitions = {
            s.source.topic: topics[s.source.topic].partitions
            if s.source.topic in topics
            else s.source.partitions
            for s in self._sources
        }
        self._tasks_wanted = max(self._partitions.values(), default=1)
        self.compiled: CompiledPlan = compile_plan(
            plan, functions, self._partitions, self._nested_error, queryable=on_rows is None, schemas=schemas
        )
        self._outputs: list[Output] = []
        self._rows: list[tuple[Any, ...]] = []
        self._turn = 0
        self._start()

    # ---------------------------------------------------------------- starting

    def _start(self) -> None:
        """Make the tasks, with what the log holds of their state and positions."""
        self._outputs.clear()
        self._rows.clear()
        stored = None if self._on_rows is not None else self._log
        known = {} if stored is None else stored.positions(self.plan.query_id)
        self._environments = [
            Environment(self.plan.query_id, p, stored, self._outputs, self._rows, self._errors)
            for p in range(self._tasks_wanted)
        ]
        peers: list[SimpleNamespace] = []
        for partition, environment in enumerate(self._environments):
            peers.append(self.compiled.bind(environment, partition, peers))
        self._tasks = peers
        self._inputs = [self._inputs_of(p, known) for p in range(self._tasks_wanted)]
        if stored is not None:
            fresh = {
                (self.plan.query_id, i.topic, i.partition): i.position
                for inputs in self._inputs
                for i, _ in inputs
                if (i.topic, i.partition) not in known
            }
            if fresh:
                stored.commit(Commit(offsets=fresh))

    def _inputs_of(
        self, partition: int, known: Mapping[tuple[str, int], int]
    ) -> list[tuple[PartitionInput, list[Callable[..., None]]]]:
        """A task's inputs, each with the functions that take its records."""
        found: dict[str, tuple[PartitionInput, list[Callable[..., None]]]] = {}
        for step, name in self.compiled.handlers:
            topic = step.source.topic
            if partition >= self._partitions[topic]:
                continue
            if topic not in found:
                position = known.get((topic, partition))
                if position is None:
                    position = self._first(step, partition)
                time_of = self._time_of(step)
                found[topic] = (PartitionInput(self._log, topic, partition, position, time_of), [])
            found[topic][1].append(getattr(self._tasks[partition], name))
        return list(found.values())

    def _first(self, step: SourceStep, partition: int) -> int:
        topic = step.source.topic
        if topic not in self._log.topics():
            return 0
        if self._reset == "earliest" or step.source.kind == "TABLE":
            return self._log.begin_offset(topic, partition)
        return self._log.end_offset(topic, partition)

    def _time_of(self, step: SourceStep) -> TimeOf:
        source = step.source
        if source.timestamp_column is None or len(self._sources) == 1:
            return record_time
        column = source.schema.find(source.timestamp_column)
        assert column is not None
        convert = time_reader(self._functions, column, source.timestamp_format)
        return column_time(source, convert, self._schemas)

    def _nested_error(self, what: str, error: Exception) -> None:
        """An error inside an expression that ksqlDB logs and replaces by null."""
        cause = str(error) or type(error).__name__
        self._errors(
            ProcessingError(
                "RECORD_PROCESSING_ERROR", f"{what}: {cause}", cause, self.plan.query_id, "Project"
            )
        )

    # ---------------------------------------------------------------- running

    def poll(self, limit: int = 5000) -> int:
        """Process up to `limit` records and commit once; returns how many were read. Tasks take turns to be first."""
        # A poll makes many small tuples and no cycles: looking for cycles meanwhile would cost a third of the time.
        collecting = gc.isenabled()
        gc.disable()
        try:
            count = 0
            for partition in self._order():
                if count < limit:
                    count += self._poll_task(partition, limit - count)
            if count:
                self._commit()
        except Exception:
            self.stats.status = "ERROR"
            if self._on_rows is None:
                self._start()  # what was done since the last commit is undone
            raise
        finally:
            if collecting:
                gc.enable()
        self.stats.status = "RUNNING"
        return count

    def _order(self) -> list[int]:
        self._turn = (self._turn + 1) % self._tasks_wanted
        return [(self._turn + i) % self._tasks_wanted for i in range(self._tasks_wanted)]

    def _poll_task(self, partition: int, limit: int) -> int:
        inputs = self._inputs[partition]
        count = 0
        for index, records in merged([i for i, _ in inputs], limit):
            handlers = inputs[index][1]
            if len(handlers) == 1:
                handlers[0](records)
            else:  # several sources over one topic: each record goes to all before the next
                for record in records:
                    for handler in handlers:
                        handler([record])
            count += len(records)
            self.stats.last_timestamp = records[-1].timestamp
        if count:
            self.stats.messages_in += count
        return count

    def _commit(self) -> None:
        # Stage by stage over all tasks: a stage's answers may go on to a later stage of another task.
        for stage in zip(*(task.flush for task in self._tasks), strict=True):
            for flush in stage:
                flush()
        self.stats.messages_out += len(self._outputs) + len(self._rows)
        if self._on_rows is not None:
            rows = self._rows[:]
            self._rows.clear()
            if rows:
                self._on_rows(rows)
            return
        state: dict[str, dict[bytes, bytes | None]] = {}
        for environment in self._environments:
            state.update(environment.drain())
        offsets = {
            (self.plan.query_id, i.topic, i.partition): i.position
            for inputs in self._inputs
            for i, _ in inputs
        }
        self._log.commit(Commit(outputs=self._outputs[:], offsets=offsets, state=state))
        self._outputs.clear()
        self._rows.clear()

    @property
    def materialization(self) -> Materialization | None:
        """The result's rows for pull queries; None where the result is not a table or the query is transient."""
        if self.compiled.result is None or self.compiled.view is None:
            return None
        return TaskViews(
            self.compiled.result, self.compiled.view, self._tasks, self._environments, self._schemas
        )

    def close(self, *, drop: bool) -> None:
        """End; with `drop` state and positions leave the log too."""
        if drop and self._on_rows is None:
            self._log.drop_consumer(self.plan.query_id)
        self._tasks = []
        self._inputs = [[] for _ in range(self._tasks_wanted)]
