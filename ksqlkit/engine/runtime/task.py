"""One task: the generated functions of one partition with their stores."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeVar

from ksqlkit.engine.log.protocol import Log, Output
from ksqlkit.engine.runtime.errors import ErrorKind, ProcessingError
from ksqlkit.engine.state.codec import CODEC
from ksqlkit.engine.state.store import Store

S = TypeVar("S", bound=Store)


class Environment:
    """What generated code sees of the runtime. `out` takes output records, `rows` a push query's rows."""

    def __init__(
        self,
        query_id: str,
        partition: int,
        log: Log | None,
        outputs: list[Output],
        rows: list[tuple[Any, ...]],
        errors: Callable[[ProcessingError], None],
    ) -> None:
        self.out = outputs.append
        self.rows = rows.append
        self.stores: dict[str, Store] = {}
        self.stream_time = -1
        self._query_id = query_id
        self._partition = partition
        self._log = log
        self._errors = errors

    def label(self, name: str) -> str:
        """The full name of a step's store in this task."""
        return f"{self._query_id}/{name}/{self._partition}"

    def keep(self, store: S) -> S:
        """Take a store in, with what the log holds of it."""
        self.stores[store.name] = store
        if self._log is not None:
            store.restore(self._log.load_state(store.name), CODEC)
        return store

    def task(self, **parts: Any) -> SimpleNamespace:
        """The bundle of functions that `bind` returns."""
        return SimpleNamespace(**parts)

    def drain(self) -> dict[str, dict[bytes, bytes | None]]:
        """Changed entries by store."""
        changed = {name: store.drain(CODEC) for name, store in self.stores.items()}
        return {name: entries for name, entries in changed.items() if entries}

    # ---------------------------------------------------------------- reports from generated code

    def _report(
        self,
        kind: ErrorKind,
        logger: str,
        message: str,
        error: object,
        topic: str | None,
        partition: int | None,
        offset: int | None,
        record: bytes | None = None,
    ) -> None:
        cause = str(error) or type(error).__name__
        self._errors(
            ProcessingError(kind, message, cause, self._query_id, logger, topic, partition, offset, record)
        )

    def fail(
        self,
        step: str,
        message: str,
        error: Exception,
        topic: str | None,
        partition: int | None,
        offset: int | None,
    ) -> None:
        """An expression or function failed for a row."""
        self._report("RECORD_PROCESSING_ERROR", step, f"{message}: {error}", error, topic, partition, offset)

    def bad_record(
        self,
        topic: str,
        partition: int,
        offset: int,
        key: bytes | None,
        value: bytes | None,
        error: Exception,
    ) -> None:
        """A record's bytes are not of the declared format or schema; it is skipped."""
        side = getattr(error, "side", "value")
        self._report(
            "DESERIALIZATION_ERROR",
            "KsqlTopic.Source.deserializer",
            f"Error deserializing message from topic: {topic}: {error}",
            error,
            topic,
            partition,
            offset,
            key if side == "key" else value,
        )

    def bad_timestamp(
        self, topic: str, partition: int, offset: int, value: bytes | None, error: Exception
    ) -> None:
        """A record's timestamp column gives no time; it is skipped."""
        self._report(
            "RECORD_PROCESSING_ERROR",
            "KsqlTopic.Source",
            f"Failed to extract timestamp from row: {error}",
            error,
            topic,
            partition,
            offset,
            value,
        )

    def bad_output(self, topic: str, row: object, error: Exception) -> None:
        """A result cannot be written in the sink's format; it is left out."""
        self._report(
            "SERIALIZATION_ERROR",
            "Sink.serializer",
            f"Error serializing message to topic: {topic}. {error}",
            error,
            topic,
            self._partition,
            None,
            repr(row).encode(),
        )
