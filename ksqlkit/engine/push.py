"""Push queries: rows as they come, to one client."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ksqlkit.engine.catalog import DataSource
from ksqlkit.engine.log.protocol import Commit, Log, Record, TopicInfo
from ksqlkit.engine.results import QueryColumn, schema_text
from ksqlkit.engine.row_errors import RowErrors
from ksqlkit.errors import InternalError, KsqlkitError

if TYPE_CHECKING:
    from ksqlkit.engine.runtime.query import Submit

BUFFER_ROWS = 10_000  # a client that does not read holds up its own query at about this many rows
POLL_RECORDS = 5000
Row = tuple[Any, ...]


class Runner(Protocol):
    """What a push query needs of the query that feeds it."""

    @property
    def busy(self) -> bool:
        """Whether it waits for a remote function."""

    def poll(self, limit: int = 5000, submit: Submit | None = None) -> int:
        """Work; returns the records read."""

    def close(self, *, drop: bool) -> None:
        """Let go."""


class PushQuery:
    """A running SELECT: iterate for rows, or `poll` for those that are there; `close` to end it.

    Ends by itself at LIMIT, and (`ends`) at the end of the topics for a SELECT without EMIT on a stream.
    Without a background thread in the engine, iterating does the work and ends when nothing moves.
    """

    def __init__(
        self,
        query_id: str,
        text: str,
        columns: tuple[QueryColumn, ...],
        *,
        limit: int | None,
        ends: bool,
        lock: threading.RLock,
        pump: Callable[[float | None], bool],
    ) -> None:
        self.query_id = query_id
        self.text = text
        self.columns = columns
        self.limit = limit
        self.ends = ends
        self.error: KsqlkitError | None = None
        self.row_errors = RowErrors()
        self.final_message: Literal["Limit Reached", "Query Completed"] | None = None
        self._rows: deque[Row] = deque()
        self._seen = 0
        self._lock = lock
        self._pump = pump
        self._runner: Runner | None = None
        if limit is not None and limit <= 0:
            self.final_message = "Limit Reached"

    # ------------------------------------------------------------ for the client

    @property
    def schema(self) -> str:
        """As ksqlDB's header prints it, without KEY marks."""
        return schema_text(self.columns)

    @property
    def done(self) -> bool:
        """Whether no more rows will come; rows may still be buffered."""
        return self.final_message is not None or self.error is not None

    def poll(self, limit: int | None = None) -> list[Row]:
        """Rows that are there, at most `limit`; empty when there are none now. Raises the error of a failed query."""
        with self._lock:
            count = len(self._rows) if limit is None else min(limit, len(self._rows))
            rows = [self._rows.popleft() for _ in range(count)]
            if not rows and self.error is not None:
                raise self.error
            return rows

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until rows are there or the query is done, at most `timeout` seconds; False when nothing came."""
        if not self._rows and not self.done:
            self._pump(timeout)
        return bool(self._rows) or self.done

    def __iter__(self) -> Iterator[Row]:
        while True:
            rows = self.poll()
            yield from rows
            if rows:
                continue
            if self.done or not (self._pump(None) or self._rows or self.done):
                yield from self.poll()
                return

    def close(self) -> None:
        """End the query and forget its state."""
        with self._lock:
            if self.final_message is None:
                self.final_message = "Query Completed"
            runner, self._runner = self._runner, None
        if runner is not None:
            runner.close(drop=True)

    # ------------------------------------------------------------ for the engine

    def attach(self, runner: Runner) -> None:
        """Give it the query that feeds it."""
        self._runner = runner

    def on_rows(self, rows: list[Row]) -> None:
        """Rows from the query; those beyond LIMIT are dropped."""
        if self.done:
            return
        if self.limit is not None and self._seen + len(rows) >= self.limit:
            rows = rows[: self.limit - self._seen]
            self.final_message = "Limit Reached"
        self._seen += len(rows)
        self._rows.extend(rows)

    @property
    def busy(self) -> bool:
        """Whether the query waits for a remote function."""
        return self._runner is not None and self._runner.busy

    def work(self, submit: Submit | None = None) -> int:
        """One poll of the query, unless it is done or the client is behind; returns the records read."""
        room = BUFFER_ROWS - len(self._rows)
        if self._runner is None or self.done or room <= 0:
            return 0
        try:
            moved = self._runner.poll(min(room, POLL_RECORDS), submit)
        except KsqlkitError as error:
            self.error = error
            return 0
        except Exception as error:  # one query's failure must not stop the others
            self.error = InternalError(f"The query failed: {type(error).__name__}: {error}")
            return 0
        if moved == 0 and self.ends and not self.busy and self.final_message is None:
            self.final_message = "Query Completed"
        return moved


class Snapshot:
    """A log as it was at a moment: reads stop at the offsets the topics ended at then."""

    def __init__(self, log: Log, sources: list[DataSource]) -> None:
        self._log = log
        self._ends = {(s.topic, p): log.end_offset(s.topic, p) for s in sources for p in range(s.partitions)}

    def topics(self) -> dict[str, TopicInfo]:
        """All topics by name."""
        return self._log.topics()

    def create_topic(self, info: TopicInfo) -> None:
        """Passed on."""
        self._log.create_topic(info)

    def delete_topic(self, name: str) -> None:
        """Passed on."""
        self._log.delete_topic(name)

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        """Records before the end of then."""
        end = self._ends.get((topic, partition), 0)
        return [r for r in self._log.read(topic, partition, offset, limit) if r.offset < end]

    def end_offset(self, topic: str, partition: int) -> int:
        """The end of then."""
        return self._ends.get((topic, partition), 0)

    def begin_offset(self, topic: str, partition: int) -> int:
        """Passed on."""
        return self._log.begin_offset(topic, partition)

    def commit(self, commit: Commit) -> None:
        """Passed on."""
        self._log.commit(commit)

    def positions(self, consumer: str) -> dict[tuple[str, int], int]:
        """Passed on."""
        return self._log.positions(consumer)

    def load_state(self, store: str) -> list[tuple[bytes, bytes]]:
        """Passed on."""
        return list(self._log.load_state(store))

    def get_state(self, store: str, key: bytes) -> bytes | None:
        """Passed on."""
        return self._log.get_state(store, key)

    def get_states(self, store: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Passed on."""
        return self._log.get_states(store, keys)

    def scan_state(
        self, store: str, low: bytes = b"", high: bytes | None = None, batch: int = 64
    ) -> Iterator[tuple[bytes, bytes]]:
        """Passed on."""
        return self._log.scan_state(store, low, high, batch)

    def drop_consumer(self, consumer: str) -> None:
        """Passed on."""
        self._log.drop_consumer(consumer)

    def load_meta(self) -> dict[str, bytes]:
        """Passed on."""
        return self._log.load_meta()

    def maintain(self, now: int) -> int:
        """Passed on."""
        return self._log.maintain(now)

    def maintenance(self, now: int) -> Iterator[int]:
        """Passed on."""
        return self._log.maintenance(now)

    def close(self) -> None:
        """The log stays open."""
