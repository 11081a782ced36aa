"""A query that runs: polls its inputs, calls the generated functions, commits once a poll.

A poll whose rows call remote functions stops at each call, and goes on where it stopped when the answers are there:
meanwhile the query is `busy`, nothing of the poll is committed, and whoever holds the engine's lock may let it go.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from types import SimpleNamespace
from typing import Any, Literal, TypeVar

from ksqlkit.engine.clock import Clock
from ksqlkit.engine.functions.contract import FunctionRegistry, RemoteCall
from ksqlkit.engine.log.protocol import Commit, Log, Output
from ksqlkit.engine.log.sqlite_state import Scratch
from ksqlkit.engine.operators.source import time_reader
from ksqlkit.engine.plan.remote import lift_remote
from ksqlkit.engine.plan.steps import QueryPlan, SourceStep
from ksqlkit.engine.runtime.compiled import CompiledPlan, compile_plan
from ksqlkit.engine.runtime.errors import ProcessingError
from ksqlkit.engine.runtime.inputs import PartitionInput, TimeOf, column_time, merged, record_time
from ksqlkit.engine.runtime.materialization import Materialization, TaskViews
from ksqlkit.engine.runtime.task import Environment
from ksqlkit.engine.serde.registry import SchemaRegistry
from ksqlkit.engine.state.spilling import HOT_ENTRIES

__all__ = ["Materialization", "ProcessingError", "RunningQuery", "Stats"]

Status = Literal["RUNNING", "ERROR", "PAUSED"]
HOT_PROPERTY = "internal.state.hot.entries"  # instead of HOT_ENTRIES
Rows = list[tuple[Any, ...]]
Answers = Future[list[Any]]
T = TypeVar("T")
Polling = Generator[tuple[RemoteCall, Rows], list[Any], T]
Submit = Callable[[RemoteCall, Rows], Answers]


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
        del clock  # nothing here depends on wall-clock time
        self.plan = plan
        self.stats = Stats()
        self._log = log
        self._errors = errors
        self._on_rows = on_rows
        self._reset = offset_reset
        self._functions = functions
        self._schemas = schemas
        topics = log.topics()
        plan = lift_remote(plan, functions)
        self._sources = [s for s in plan.root.walk() if isinstance(s, SourceStep)]
        self._partitions = {
            s.source.topic: topics[s.source.topic].partitions
            if s.source.topic in topics
            else s.source.partitions
            for s in self._sources
        }
        self._tasks_wanted = max(self._partitions.values(), default=1)
        hot = HOT_ENTRIES if properties is None else int(properties.get(HOT_PROPERTY, HOT_ENTRIES))
        self._hot = hot // self._tasks_wanted
        self._unsaved = 0
        self.compiled: CompiledPlan = compile_plan(
            plan, functions, self._partitions, self._nested_error, queryable=on_rows is None, schemas=schemas
        )
        self._outputs: list[Output] = []
        self._rows: list[tuple[Any, ...]] = []
        self._turn = 0
        # A poll that has not ended, what it waits for, and what pull queries see meanwhile.
        self._work: Polling[int] | None = None
        self._answers: Answers | None = None
        self._committed: Materialization | None = None
        self._start()

    # ---------------------------------------------------------------- starting

    def _start(self) -> None:
        """Make the tasks, with what the log holds of their state and positions."""
        self._outputs.clear()
        self._rows.clear()
        stored = None if self._on_rows is not None else self._log
        self._scratch = Scratch() if stored is None else None
        known = {} if stored is None else stored.positions(self.plan.query_id)
        self._environments, self._tasks = self._restored()
        self._view: Materialization | None = None
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

    def _restored(self) -> tuple[list[Environment], list[SimpleNamespace]]:
        """New tasks with the state that the log holds."""
        state, name = self._scratch or self._log, self.plan.query_id
        environments = [
            Environment(name, p, state, self._outputs, self._rows, self._errors, self._hot)
            for p in range(self._tasks_wanted)
        ]
        tasks: list[SimpleNamespace] = []
        for partition, environment in enumerate(environments):
            tasks.append(self.compiled.bind(environment, partition, tasks))
        return environments, tasks

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

    @property
    def busy(self) -> bool:
        """Whether a poll waits for a remote function."""
        return self._work is not None

    def poll(self, limit: int = 5000, submit: Submit | None = None) -> int:
        """Process up to `limit` records and commit once; returns how many were read. Tasks take turns to be first.

        Remote functions are called here, or by `submit`: then the poll may end early, `busy`, with 0; the next one
        goes on with it when the answers are there. Raises what they raise.
        """
        # A poll makes many small tuples and no cycles: looking for cycles meanwhile would cost a third of the time.
        collecting = gc.isenabled()
        gc.disable()
        try:
            return self._advance(limit, submit)
        except Exception:
            self.stats.status = "ERROR"
            self._forget_poll()
            if self._on_rows is None:
                self._start()  # what was done since the last commit is undone
            raise
        finally:
            if collecting:
                gc.enable()

    def _advance(self, limit: int, submit: Submit | None) -> int:
        """Begin a poll, or go on with the one that waits; the records read when it ends, 0 until then."""
        given: list[Any] | None = None
        if self._work is None:
            self._work = self._polling(limit)
        else:
            assert self._answers is not None
            if not self._answers.done():
                return 0
            given = self._answers.result()
        try:
            while True:
                call, rows = next(self._work) if given is None else self._work.send(given)
                if submit is not None:
                    self._answers = submit(call, rows)
                    return 0
                given = call.call(rows)
        except StopIteration as end:
            self._forget_poll()
            self.stats.status = "RUNNING"
            count: int = end.value
            return count

    def _forget_poll(self) -> None:
        if self._answers is not None:
            self._answers.cancel()
        self._work = self._answers = self._committed = None

    def _polling(self, limit: int) -> Polling[int]:
        """A poll from beginning to commit: yields calls to make, takes their answers."""
        count = 0
        for partition in self._order():
            if count < limit:
                count += self._poll_task(partition, limit - count)
        if count:
            yield from self._flush()
            self._commit()
        return count

    def _flush(self) -> Polling[None]:
        """Have waiting rows answered, stage by stage: one call for all tasks, whose rows may go on to a later stage of
        another task."""
        for stage in zip(*(task.flush for task in self._tasks), strict=True):
            asked = [ask() for _, ask, _ in stage]
            rows = [row for part in asked for row in part]
            given = iter((yield stage[0][0], rows) if rows else ())
            for part, (_, _, tell) in zip(asked, stage, strict=True):
                tell(list(islice(given, len(part))))

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
            self._unsaved += count
        return count

    def _commit(self) -> None:
        self.stats.messages_out += len(self._outputs) + len(self._rows)
        if self._on_rows is not None:
            rows = self._rows[:]
            self._rows.clear()
            if self._scratch is not None and self._unsaved >= self._hot:
                self._unsaved = 0
                self._write(self._scratch, Commit())
            if rows:
                self._on_rows(rows)
            return
        offsets = {
            (self.plan.query_id, i.topic, i.partition): i.position
            for inputs in self._inputs
            for i, _ in inputs
        }
        commit = Commit(outputs=self._outputs[:], offsets=offsets)
        self._write(self._log, commit)
        self._outputs.clear()
        self._rows.clear()

    def _write(self, log: Log | Scratch, commit: Commit) -> None:
        """Commit with what changed in the state; what is cold then leaves memory."""
        for environment in self._environments:
            environment.drain(commit)
        log.commit(commit)
        for environment in self._environments:
            environment.settle()

    @property
    def materialization(self) -> Materialization | None:
        """The result's rows for pull queries; None where the result is not a table or the query is transient.

        They are those of the last commit, also while a poll waits for a remote function: where that poll has changed
        state, the rows are read from the log again, once for all pull queries until it ends.
        """
        result, view = self.compiled.result, self.compiled.view
        if result is None or view is None:
            return None
        if self.settled:
            if self._view is None:
                self._view = TaskViews(result, view, self._tasks, self._environments, self._schemas)
            return self._view
        if self._committed is None:
            environments, tasks = self._restored()
            self._committed = TaskViews(result, view, tasks, environments, self._schemas)
        return self._committed

    @property
    def settled(self) -> bool:
        """Whether state is what the last commit left: there is no poll under way that has changed any."""
        if self._work is None:
            return True
        stores = (s for e in self._environments for s in e.stores.values())
        return not any(getattr(store, "dirty", ()) for store in stores)

    def close(self, *, drop: bool) -> None:
        """End; with `drop` state and positions leave the log too. A poll that waits is given up."""
        self._forget_poll()
        if drop and self._on_rows is None:
            self._log.drop_consumer(self.plan.query_id)
        if self._scratch is not None:
            self._scratch.close()
        self._tasks = []
        self._inputs = [[] for _ in range(self._tasks_wanted)]
