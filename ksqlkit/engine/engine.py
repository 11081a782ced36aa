"""The embedded ksqlDB: statements in, results out; topics in, topics out."""

from __future__ import annotations

import gc
import logging
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import parse, split
from ksqlkit.dialect.variables import substitute
from ksqlkit.engine import statements
from ksqlkit.engine.catalog import DataSource
from ksqlkit.engine.clock import Clock, SystemClock
from ksqlkit.engine.context import Context, Prepared
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.engine.kept_schemas import EMBEDDED, KeptSchemas
from ksqlkit.engine.live import LiveContext
from ksqlkit.engine.log.memory import MemoryLog
from ksqlkit.engine.log.partitioner import partition_for
from ksqlkit.engine.log.protocol import Commit, Headers, Log, Output, Record, TopicInfo
from ksqlkit.engine.print_topic import PrintedTopic
from ksqlkit.engine.properties import Properties, check_override
from ksqlkit.engine.pull import PendingPull, run_pull
from ksqlkit.engine.push import PushQuery
from ksqlkit.engine.results import PullResult, Result
from ksqlkit.engine.serde.registry import SchemaRegistry
from ksqlkit.engine.statements.assertions import AssertionRefused
from ksqlkit.engine.statements.insert_values import make_record, writable
from ksqlkit.errors import DataError, ParseError, StatementError

IDLE_SECONDS = 0.05
RETRY_SECONDS = 1.0
ASSERT_SECONDS = 0.1
MAINTENANCE_SECONDS = 300.0  # as Kafka's log.retention.check.interval.ms
_LOGGER = logging.getLogger("ksqlkit.engine")
RecordLike = tuple[bytes | None, bytes | None] | tuple[bytes | None, bytes | None, int | None]


class Engine:
    """ksqlDB over a log. All methods may be called from any thread: one lock guards the state.

    Without `start()` nothing moves by itself: `run_until_idle()` (or reading a push query) does the work. With a
    durable log, an engine made on the same log goes on where the last one stopped.

    AVRO, PROTOBUF and JSON_SR need a schema registry: `schemas`, or what the property ksql.schema.registry.url names:
    the URL of a Schema Registry, or 'embedded' for the engine's own one, which lies in the log. Raises StatementError
    for invalid properties.
    """

    def __init__(
        self,
        log: Log | None = None,
        *,
        clock: Clock | None = None,
        functions: Registry | None = None,
        properties: Mapping[str, object] | None = None,
        schemas: SchemaRegistry | None = None,
    ) -> None:
        self.log = log if log is not None else MemoryLog()
        self.clock = clock if clock is not None else SystemClock()
        self.functions = functions if functions is not None else Registry()
        self._thread: threading.Thread | None = None
        self._stopping = False
        settings = Properties(properties)
        self._ctx = LiveContext(
            log=self.log,
            functions=self.functions,
            clock=self.clock,
            properties=settings,
            schemas=schemas if schemas is not None else _registry(self.log, settings),
        )
        self._lock = self._ctx.lock
        self._work = self._ctx.work
        self._ctx.restore()

    # ------------------------------------------------------------ statements

    def execute(
        self,
        sql: str,
        *,
        properties: Mapping[str, object] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> list[Result]:
        """Run statements, all or (when one is refused) none; INSERT VALUES, SET and DEFINE answer nothing.

        `properties` override settings for this request, `variables` fill ${name}. An ASSERT that does not hold yet is
        waited for as long as it says, and others may use the engine meanwhile. Raises ParseError, StatementError.
        """
        until: dict[str | None, int] = {}
        while True:
            try:
                return self._execute(sql, properties, variables)
            except AssertionRefused as error:
                now = self.clock.now()
                if now >= until.setdefault(error.statement, now + error.wait):
                    raise
                left = (until[error.statement] - now) / 1000
            self.clock.sleep(min(left, ASSERT_SECONDS))

    def _execute(
        self, sql: str, properties: Mapping[str, object] | None, variables: Mapping[str, str] | None
    ) -> list[Result]:
        with self._lock:
            overrides = self._overrides(properties)
            written = _written(sql)
            if len(written) > 1:
                self._run(self._ctx.fork(), written, overrides, variables)
            results = self._run(self._ctx, written, overrides, variables)
            self._work.notify_all()
            return results

    def _overrides(self, properties: Mapping[str, object] | None) -> dict[str, object]:
        """A request's settings, checked."""
        overrides = dict(properties or {})
        for name, value in overrides.items():
            check_override(name, value)
        Properties(self._ctx.properties.server, overrides).check_request()
        return overrides

    def _run(
        self,
        ctx: Context,
        written: list[tuple[str, N.Statement | None]],
        overrides: Mapping[str, object],
        variables: Mapping[str, str] | None,
    ) -> list[Result]:
        ctx.variables = dict(variables or {})
        ctx.request_overrides = dict(overrides)
        results = []
        for text, node in written:
            prepared = _prepare(ctx, text, node)
            with ctx:
                result = statements.run(ctx, prepared)
            if result is not None:
                results.append(result)
        return results

    def query(
        self,
        sql: str,
        *,
        properties: Mapping[str, object] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> PullResult | PushQuery | PrintedTopic:
        """Run one SELECT or PRINT. Pulls on tables give all rows; push queries and pulls on streams give a handle to
        iterate and close; PRINT gives lines. Raises ParseError, StatementError."""
        found = self.begin_query(sql, properties=properties, variables=variables)
        return found.finish() if isinstance(found, PendingPull) else found

    def begin_query(
        self,
        sql: str,
        *,
        properties: Mapping[str, object] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> PullResult | PendingPull | PushQuery | PrintedTopic:
        """As `query`, without waiting for remote functions: a pull that calls some is left to be finished."""
        with self._lock:
            if not properties and not variables and (known := self._ctx.repeated.answer(sql)) is not None:
                return known
            ctx = self._ctx
            overrides = self._overrides(properties)
            try:
                written = _written(sql)
            except ParseError as error:
                raise ParseError(
                    f"{error.message}\nStatement: {sql}", location=error.location, hint=error.hint
                ) from None
            if len(written) != 1:
                raise StatementError(
                    f"Expected exactly one KSQL statement; found {len(written)} instead", statement=sql
                )
            ctx.variables, ctx.request_overrides = dict(variables or {}), overrides
            prepared = _prepare(ctx, *written[0])
            try:
                match prepared.node:
                    case N.QueryStatement(query) if query.emit is None:
                        found = run_pull(ctx, prepared, self._pump)
                        if isinstance(found, PushQuery):
                            self._work.notify_all()
                        return found
                    case N.QueryStatement():
                        push = ctx.open_push(prepared, self._pump)
                        self._work.notify_all()
                        return push
                    case N.Print():
                        return PrintedTopic(ctx, prepared.node, self._pump)
                    case _:
                        raise StatementError("Neither a query nor a print statement")
            except StatementError as error:
                raise statements.with_text(error, prepared.text) from None
            except RecursionError:
                raise statements.too_deep(prepared.text) from None

    def try_query(self, sql: str) -> PullResult | None:
        """The answer of a pull query where that takes next to no time and the engine is free; None where it may not."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            return self._ctx.repeated.answer(sql, small=True)
        finally:
            self._lock.release()

    def close_query(self, query_id: str) -> bool:
        """End a push query; whether there was one of that id."""
        with self._lock:
            return self._ctx.stop_transient(query_id)

    def terminate(self, patterns: Sequence[re.Pattern[str]] = ()) -> int:
        """End all queries and forget the catalogue; topics of sinks that a pattern matches go too.

        Returns the sequence number the command has.
        """
        with self._lock:
            return self._ctx.terminate(patterns)

    # ------------------------------------------------------------ records

    def create_topic(
        self, name: str, partitions: int = 1, replicas: int = 1, config: Mapping[str, str] | None = None
    ) -> None:
        """Create a topic, or check that the one that exists has as many partitions and replicas."""
        with self._lock:
            info = TopicInfo(name, partitions, replicas, tuple((config or {}).items()))
            self._ctx.create_topic(info)

    def topics(self) -> dict[str, TopicInfo]:
        """All topics by name."""
        with self._lock:
            return dict(self._ctx.topics)

    def produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        *,
        timestamp: int | None = None,
        partition: int | None = None,
        headers: Headers = (),
    ) -> tuple[int, int]:
        """Append a record; returns its partition and offset. `timestamp` (milliseconds) defaults to now."""
        with self._lock:
            where = self._partition(topic, key, partition)
            offset = self.log.end_offset(topic, where)
            when = self.clock.now() if timestamp is None else timestamp
            self.log.commit(Commit(outputs=[Output(topic, where, when, key, value, headers)]))
            self._work.notify_all()
            return where, offset

    def produce_many(self, topic: str, records: Iterable[RecordLike]) -> int:
        """Append (key, value) or (key, value, timestamp) records in one commit; returns how many."""
        return len(self.append(topic, ((*r, None) if len(r) > 2 else (*r, None, None) for r in records)))

    def append(
        self, topic: str, records: Iterable[tuple[bytes | None, bytes | None, int | None, int | None]]
    ) -> list[tuple[int, int]]:
        """Append (key, value, timestamp, partition) records in one commit; the partition and offset of each."""
        with self._lock:
            now = self.clock.now()
            next_offset: dict[int, int] = {}
            outputs, places = [], []
            for key, value, stamp, partition in records:
                where = self._partition(topic, key, partition)
                if where not in next_offset:
                    next_offset[where] = self.log.end_offset(topic, where)
                outputs.append(Output(topic, where, now if stamp is None else stamp, key, value))
                places.append((where, next_offset[where]))
                next_offset[where] += 1
            self.log.commit(Commit(outputs=outputs))
            self._work.notify_all()
            return places

    def insert(self, target: str, row: Mapping[str, Any]) -> None:
        """Append one row of typed values by column name (see dialect.types). Raises StatementError, SerdeError."""
        self.insert_many(target, [row])

    def insert_many(self, target: str, rows: Iterable[Mapping[str, Any]]) -> int:
        """Append rows in one commit, all or none; returns how many. Raises StatementError, SerdeError."""
        with self._lock:
            source = writable(self._ctx, target)
            outputs = [make_record(self._ctx, source, row) for row in rows]
            self.log.commit(Commit(outputs=outputs))
            self._work.notify_all()
            return len(outputs)

    def writable(self, target: str) -> DataSource:
        """The source of that name, if rows may be inserted. Raises StatementError."""
        with self._lock:
            return writable(self._ctx, target)

    def read(self, topic: str, partition: int = 0, offset: int = 0, limit: int = 1_000_000) -> list[Record]:
        """Records of a partition from an offset on."""
        with self._lock:
            self._partition(topic, None, partition)
            return self.log.read(topic, partition, offset, limit)

    def _partition(self, topic: str, key: bytes | None, partition: int | None) -> int:
        info = self._ctx.topics.get(topic)
        if info is None:
            raise DataError(
                f"Topic '{topic}' does not exist.", hint="create a stream over it, with PARTITIONS"
            )
        if partition is None:
            return partition_for(key, info.partitions)
        if not 0 <= partition < info.partitions:
            raise DataError(f"Topic '{topic}' has no partition {partition}; it has {info.partitions}.")
        return partition

    # ------------------------------------------------------------ running

    @property
    def context(self) -> LiveContext:
        """Catalogue, queries and statuses, for layers above; hold no reference across calls from other threads."""
        return self._ctx

    def run_until_idle(self) -> int:
        """Let all queries work until nothing moves; returns the records read."""
        total = 0
        while True:
            with self._lock:
                moved = self._ctx.poll()
            if moved == 0:
                return total
            total += moved

    def maintain(self) -> int:
        """Delete what topics with RETENTION_MS or compaction let go by now; returns the records removed.

        In small steps: others may use the engine in between."""
        return sum(self._maintenance())

    def _maintenance(self) -> Iterator[int]:
        steps = self.log.maintenance(self.clock.now())
        while True:
            with self._lock:
                removed = next(steps, None)
            if removed is None:
                return
            yield removed
            time.sleep(0)  # hands the lock to whoever waits for it

    def start(self) -> Self:
        """Let a background thread do the work."""
        with self._lock:
            if self._thread is None:
                self._stopping = False
                self._thread = threading.Thread(target=self._loop, name="ksqlkit-engine", daemon=True)
                self._thread.start()
        return self

    def stop(self) -> None:
        """End the background thread after the poll it is in."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._stopping = True
            self._work.notify_all()
        if thread is not None:
            thread.join()

    def close(self) -> None:
        """Stop, end push queries, release the log. What was committed stays."""
        self.stop()
        with self._lock:
            self._ctx.close()
            self.log.close()

    def _loop(self) -> None:
        """Poll until stopped. The lock is let go after each query's poll, so that a request waits for one at most.

        The garbage collector looks between polls only, and now and then at all: rows make no cycles, and it would look
        at them all the time.
        """
        gc.disable()
        due = time.monotonic() + MAINTENANCE_SECONDS
        cleaning: Iterator[int] | None = None  # a step of it goes with each round of polls
        try:
            while not self._stopping:
                try:
                    if time.monotonic() >= due:
                        due = time.monotonic() + MAINTENANCE_SECONDS
                        cleaning = self._maintenance()
                        gc.collect()  # what clients have left behind
                    if cleaning is not None and next(cleaning, None) is None:
                        cleaning = None
                    moved = self._poll_all()
                except Exception:  # the log fails, say for want of disk space: it may come back, and so do we
                    _LOGGER.exception("the engine could not work and tries again")
                    time.sleep(RETRY_SECONDS)
                    continue
                gc.collect(0)
                if not moved and cleaning is None:
                    gc.collect(1)
                    with self._lock:
                        if not self._stopping:
                            self._work.wait(IDLE_SECONDS)
        finally:
            gc.enable()

    def _poll_all(self) -> int:
        """One poll of every query, letting go of the lock after each; the records read."""
        moved = 0
        with self._lock:
            polls = self._ctx.poll_each()
        while not self._stopping:
            with self._lock:
                count = next(polls, None)
            if count is None:
                break
            moved += count
            time.sleep(0)  # hands the lock to whoever waits for it
        return moved

    def _pump(self, timeout: float | None) -> bool:
        """Wait for work to be done by the thread, or do it here; False when nothing more will come by itself."""
        if self._thread is None:
            return self.run_until_idle() > 0
        with self._lock:
            self._ctx.progress.wait(timeout)
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _written(sql: str) -> list[tuple[str, N.Statement | None]]:
    """The statements of a request; not parsed yet where variables have to be filled in first."""
    texts = [text for text, _ in split(sql)]
    if "${" in sql:
        return [(text, None) for text in texts]
    return list(zip(texts, parse(sql), strict=True))


def _prepare(ctx: Context, text: str, node: N.Statement | None) -> Prepared:
    if node is None:
        if ctx.properties.with_overrides(ctx.request_overrides)["ksql.variable.substitution.enable"]:
            text = substitute(text, ctx.variables)
        (node,) = parse(text)
    return Prepared(node, text, text, dict(ctx.request_overrides))


def _registry(log: Log, settings: Properties) -> SchemaRegistry | None:
    """The registry that the settings name: the engine's own, one elsewhere, or none."""
    url = settings["ksql.schema.registry.url"]
    if url == EMBEDDED:
        return KeptSchemas(log)
    if not url:
        return None
    if not url.startswith(("http://", "https://")):
        raise StatementError(
            f"Invalid value {url} for configuration ksql.schema.registry.url",
            hint=f"Give the URL of a Schema Registry, or '{EMBEDDED}' for one inside the engine.",
        )
    from ksqlkit.engine.serde.remote_registry import RemoteRegistry

    return RemoteRegistry(url, settings["ksql.schema.registry.basic.auth.user.info"] or None)
