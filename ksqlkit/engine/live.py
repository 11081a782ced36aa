"""The context that acts: topics are made, queries run, commands are written to the log's metadata."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import parse
from ksqlkit.engine import command_log
from ksqlkit.engine.catalog import Catalog
from ksqlkit.engine.clock import Clock
from ksqlkit.engine.command_log import Command
from ksqlkit.engine.context import Context, PersistentQuery, Prepared, QueryState
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.engine.log.protocol import Commit, Log, Output, TopicInfo
from ksqlkit.engine.plan.planner import plan_query
from ksqlkit.engine.processing_log import RETENTION_BYTES, ProcessingLog, create_stream_sql
from ksqlkit.engine.properties import Properties
from ksqlkit.engine.pull.repeated import Repeated
from ksqlkit.engine.push import PushQuery, Snapshot
from ksqlkit.engine.results import QueryColumn, QueryErrorInfo, RunningQueryInfo, Statistic
from ksqlkit.engine.runtime.callers import Callers
from ksqlkit.engine.scalable import scalable_id
from ksqlkit.engine.serde.registry import SchemaRegistry
from ksqlkit.engine.statements.create_as import require_sources, sources_of
from ksqlkit.engine.statements.describe import HOST
from ksqlkit.engine.statements.explain import transient_id
from ksqlkit.errors import KsqlkitError, ServerError

if TYPE_CHECKING:
    from ksqlkit.engine.runtime.query import Materialization, RunningQuery

FORGOTTEN_AT_ONCE = 100  # commands: fewer are not worth writing
_LOGGER = logging.getLogger("ksqlkit.engine")


class LiveContext(Context):
    """A context whose changes happen. The engine's lock is held in every call."""

    def __init__(
        self,
        *,
        log: Log,
        functions: Registry,
        clock: Clock,
        properties: Properties,
        schemas: SchemaRegistry | None = None,
    ) -> None:
        super().__init__(functions=functions, clock=clock, properties=properties, schemas=schemas)
        self.log = log
        self.lock = threading.RLock()
        self.progress = threading.Condition(self.lock)  # told when queries have read or ended
        self.work = threading.Condition(self.lock)  # told when there may be something to do
        self.callers = Callers(self._answered)
        self.repeated = Repeated(self)
        self.running: dict[str, RunningQuery] = {}
        self.pushes: dict[str, PushQuery] = {}
        self.failures: dict[str, QueryErrorInfo] = {}
        self.startup_errors: list[tuple[str, KsqlkitError]] = []
        self.processing_log = ProcessingLog(properties["ksql.logging.processing.topic.name"])

    # ------------------------------------------------------------ start and stop

    def restore(self) -> None:
        """Bring back catalogue and queries from the command log; queries go on from their committed positions.

        A command that does not work any more (say, a function is gone) is left out, kept in `startup_errors` and
        in the log; the others go on. Where many commands have come to nothing, they are forgotten.
        """
        commands, following = command_log.read(self.log)
        history = command_log.History()
        replay, gone = self._replay(commands, history)
        self.catalog, self.statuses = replay.catalog, replay.statuses
        self.next_sequence = max(replay.next_sequence, following)
        self.topics = self.log.topics()
        for query_id in gone - set(replay.queries):
            self.log.drop_consumer(query_id)  # again, in case the last end came between command and clean-up
        if not self.startup_errors:
            self._forget_commands(commands, history, replay)
        for query in replay.queries.values():
            self.start_query(query)
        self._declare_processing_log()

    def _replay(
        self, commands: Sequence[Command], history: command_log.History | None = None
    ) -> tuple[Context, set[str]]:
        """A context in which the commands were run, and the ids of queries that ended on the way."""
        from ksqlkit.engine import statements

        replay = Context(
            functions=self.functions,
            clock=self.clock,
            properties=self.properties,
            schemas=self.schemas_copy(),
        )
        gone: set[str] = set()
        for command in commands:
            replay.topics |= {info.name: info for info in command.topics}
            replay.next_sequence = command.sequence
            before = set(replay.queries)
            try:
                (node,) = parse(command.sql)
                statements.run(replay, Prepared(node, command.sql, command.sql, command.overrides))
            except KsqlkitError as error:
                self.startup_errors.append((command.sql, error))
                replay.next_sequence = command.sequence + 2
            if history is not None:
                history.note(command, replay.catalog, replay.queries)
            gone |= before - set(replay.queries)
        return replay, gone

    def _forget_commands(
        self, commands: Sequence[Command], history: command_log.History, replay: Context
    ) -> None:
        """Forget commands that have come to nothing, once they are many; what is left must end the same."""
        needless = history.needless()
        if len(needless) < FORGOTTEN_AT_ONCE:
            return
        names = {command.name for command in needless}
        again, _ = self._replay([command for command in commands if command.name not in names])
        if (again.catalog, again.queries) == (replay.catalog, replay.queries):
            command_log.forget(self.log, needless, self.next_sequence)
        else:
            _LOGGER.warning(
                "the command log is kept whole: without %d commands it ends otherwise", len(names)
            )
            self.startup_errors.clear()

    def _declare_processing_log(self) -> None:
        from ksqlkit.engine import statements

        name = self.properties["ksql.logging.processing.stream.name"]
        if not self.properties["ksql.logging.processing.stream.auto.create"] or self.catalog.get(name):
            return
        sql = create_stream_sql(self.properties)
        (node,) = parse(sql)
        statements.run(self, Prepared(node, sql, sql))

    def close(self) -> None:
        """End push queries and let go of the others; calls of remote functions are not waited for."""
        self.callers.close()
        for query_id in list(self.pushes):
            self.stop_transient(query_id)
        for query in self.running.values():
            query.close(drop=False)
        self.running.clear()

    def terminate(self, patterns: Sequence[re.Pattern[str]]) -> int:
        """End all queries, forget catalogue and commands, delete sinks' topics that match; the command's number."""
        for query_id in list(self.pushes):
            self.stop_transient(query_id)
        sinks = {q.plan.sink.topic for q in self.queries.values() if q.plan.sink is not None}
        for query_id in list(self.queries):
            self.stop_query(query_id)
        self.catalog = Catalog()
        command_log.forget(self.log, command_log.read(self.log)[0], self.next_sequence)
        for topic in sinks:
            if any(pattern.fullmatch(topic) for pattern in patterns):
                self.delete_topic(topic)
        return self.next_sequence

    # ------------------------------------------------------------ work

    def poll(self) -> int:
        """One poll of every query, each to its end; returns the records read. The lock is let go while a remote
        function is waited for."""
        return sum(self.poll_each(settle=True))

    def poll_each(self, *, settle: bool = False) -> Iterator[int]:
        """One poll, a query at a time, so that a caller may let others in between; yields the records each read.

        A query that waits for a remote function is left to wait, unless asked to `settle`. Raises ServerError, after
        all have had their turn, when the log failed; the queries stay as they were.
        """
        moved, ended = 0, False
        broken: ServerError | None = None
        for query_id, query in list(self.running.items()):
            if query_id not in self.running or self.queries[query_id].state != "RUNNING":
                continue
            try:
                count = self._polled(query, partial(query.poll, submit=self.callers.submit), settle)
            except ServerError as error:  # not the query's fault, and it may pass
                broken = broken or error
                continue
            except Exception as error:  # one query's failure must not stop the others
                self._failed(query_id, error)
                continue
            if count:
                moved += count
                yield count
        for query_id, push in list(self.pushes.items()):
            if query_id not in self.pushes:
                continue
            count = self._polled(push, partial(push.work, self.callers.submit), settle)
            moved += count
            if push.done:
                ended = True
                self.pushes.pop(query_id, None)
                push.close()
            if count:
                yield count
        self._write_processing_log()
        if moved or ended:
            self.progress.notify_all()
        if broken is not None:
            raise broken

    def _polled(self, query: RunningQuery | PushQuery, poll: Callable[[], int], settle: bool) -> int:
        """One poll; to settle, waits for what the query waits for, with the lock let go."""
        count = poll()
        while settle and query.busy:
            self.work.wait()
            count = poll()
        return count

    def _answered(self) -> None:
        """A remote function has answered: called from the thread that called it."""
        with self.lock:
            self.work.notify_all()

    def _failed(self, query_id: str, error: Exception) -> None:
        from ksqlkit.engine.runtime.query import ProcessingError

        text = error.message if isinstance(error, KsqlkitError) else f"{type(error).__name__}: {error}"
        kind = "USER" if isinstance(error, KsqlkitError) else "SYSTEM"
        self.failures[query_id] = QueryErrorInfo(self.clock.now(), text, kind)
        super().set_state(query_id, "ERROR")
        self.processing_log.add(
            ProcessingError(
                kind="KAFKA_STREAMS_THREAD_ERROR",
                message=f"Unhandled exception caught in query {query_id}: {text}",
                cause=text,
                query_id=query_id,
                logger="ksql.logger.thread.exception.uncaught",
                topic="",
                partition=-1,
                offset=-1,
                record=None,
            )
        )

    def _write_processing_log(self) -> None:
        outputs = self.processing_log.drain(self.clock.now())
        if not outputs:
            return
        topic = self.processing_log.topic
        if topic not in self.topics:
            self.create_topic(TopicInfo(topic, 1, 1, (("retention.bytes", str(RETENTION_BYTES)),)))
        self.log.commit(Commit(outputs=outputs))

    def materialization(self, query_id: str) -> Materialization | None:
        """The rows of a query's result, for pull queries; None where it keeps none."""
        query = self.running.get(query_id)
        return None if query is None else query.materialization

    # ------------------------------------------------------------ push queries

    def open_push(
        self, prepared: Prepared, pump: Callable[[float | None], bool], *, ends: bool = False
    ) -> PushQuery:
        """Start a SELECT that goes to a client; with `ends`, over what the topics hold now. Raises StatementError."""
        from ksqlkit.engine.runtime.query import ProcessingError, RunningQuery

        assert isinstance(prepared.node, N.QueryStatement)
        query = prepared.node.query
        require_sources(self, query)
        settings = self.settings(prepared)
        query_id = None if ends else scalable_id(self, query, prepared.overrides)
        query_id = query_id or transient_id(next(sources_of(query.source)).alias)
        plan = plan_query(
            query,
            catalog=self.catalog,
            functions=self.functions,
            query_id=query_id,
            statement=prepared.text,
            properties=settings,
        )
        types = {c.name: c.type for c in plan.root.schema.columns}
        columns = tuple(QueryColumn(name, types[name]) for name in plan.columns)
        push = PushQuery(
            query_id, prepared.text, columns, limit=query.limit, ends=ends, lock=self.lock, pump=pump
        )
        sources = [s for s in self.catalog if s.name in plan.sources]
        log: Log = Snapshot(self.log, sources) if ends else self.log

        def failed(error: ProcessingError) -> None:
            self.processing_log.add(error)
            push.row_errors.add_error(error)

        push.attach(
            RunningQuery(
                plan,
                log=log,
                functions=self.functions,
                clock=self.clock,
                errors=failed,
                on_rows=push.on_rows,
                offset_reset="earliest" if ends else settings["auto.offset.reset"],
                properties=settings,
                schemas=self.schemas,
            )
        )
        if not push.done:
            self.pushes[query_id] = push
        return push

    def stop_transient(self, query_id: str) -> bool:
        """End a push query of that id (in any case of letters); whether there was one."""
        found = next((q for q in self.pushes if q.upper() == query_id.upper()), None)
        if found is None:
            return False
        self.pushes.pop(found).close()
        self.progress.notify_all()
        return True

    def transient_queries(self) -> tuple[RunningQueryInfo, ...]:
        """Push queries that run now."""
        return tuple(
            RunningQueryInfo(q.text, (), (), q.query_id, {"RUNNING": 1}, "PUSH", "RUNNING")
            for q in self.pushes.values()
        )

    # ------------------------------------------------------------ what SHOW and DESCRIBE ask

    def statistics(self, query_ids: Sequence[str]) -> tuple[Statistic, ...]:
        """Records written by the queries so far."""
        now = self.clock.now()
        total = sum(self.running[q].stats.messages_out for q in query_ids if q in self.running)
        return (Statistic("total-messages", HOST, float(total), now),) if query_ids else ()

    def query_errors(self, query_id: str) -> tuple[QueryErrorInfo, ...]:
        """Why a query failed, if it did."""
        found = self.failures.get(query_id)
        return () if found is None else (found,)

    def positions(self, query_id: str) -> dict[tuple[str, int], int]:
        """Committed (topic, partition) -> next offset of a query."""
        return self.log.positions(query_id)

    def offsets(self, topic: str, partition: int) -> tuple[int, int]:
        """First offset kept and the offset the next record gets."""
        return self.log.begin_offset(topic, partition), self.log.end_offset(topic, partition)

    # ------------------------------------------------------------ hooks

    def on_create_topic(self, info: TopicInfo) -> None:
        """Create it in the log."""
        self.log.create_topic(info)

    def on_delete_topic(self, name: str) -> None:
        """Delete it from the log."""
        self.log.delete_topic(name)

    def on_start_query(self, query: PersistentQuery) -> None:
        """Run it; one with the same id makes room first and leaves its state and positions."""
        from ksqlkit.engine.runtime.query import RunningQuery

        settings = self.properties.with_overrides(query.overrides)
        old = self.running.pop(query.id, None)
        if old is not None:
            old.close(drop=False)
        reset = "earliest" if query.plan.sink is None else settings["auto.offset.reset"]
        self.failures.pop(query.id, None)
        self.running[query.id] = RunningQuery(
            query.plan,
            log=self.log,
            functions=self.functions,
            clock=self.clock,
            errors=self.processing_log.add,
            offset_reset=reset,
            properties=settings,
            schemas=self.schemas,
        )

    def on_stop_query(self, query_id: str) -> None:
        """End it with its state and positions."""
        query = self.running.pop(query_id, None)
        self.failures.pop(query_id, None)
        if query is not None:
            query.close(drop=True)

    def on_set_state(self, query_id: str, state: QueryState) -> None:
        """Nothing: `poll` looks at the state."""

    def on_command(self, prepared: Prepared) -> None:
        """Write it to the log's metadata, with the topics it was decided on."""
        command = Command(
            self.next_sequence, prepared.written, prepared.overrides, tuple(self.looked_up.values())
        )
        command_log.write(self.log, command)

    def on_append(self, outputs: Sequence[Output]) -> None:
        """Append them."""
        self.log.commit(Commit(outputs=outputs))
