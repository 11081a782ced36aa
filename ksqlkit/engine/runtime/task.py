"""One task: the generated functions of one partition with their stores."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Literal, TypeVar

import orjson

from ksqlkit.engine.log.protocol import Commit, Output, StateReader
from ksqlkit.engine.runtime.errors import ErrorKind, ProcessingError
from ksqlkit.engine.serde import SerdeError
from ksqlkit.engine.state.codec import CODEC
from ksqlkit.engine.state.spilling import Backed, Backing
from ksqlkit.engine.state.store import Store

S = TypeVar("S", bound=Store | Backed)


class Environment:
    """What generated code sees of the runtime. `out` takes output records, `rows` a push query's rows.

    `state` is where earlier commits lie; of each store about `hot` entries stay in memory.
    """

    def __init__(
        self,
        query_id: str,
        partition: int,
        state: StateReader,
        outputs: list[Output],
        rows: list[tuple[Any, ...]],
        errors: Callable[[ProcessingError], None],
        hot: int,
    ) -> None:
        self.out = outputs.append
        self.rows = rows.append
        self.stores: dict[str, Store | Backed] = {}
        self.stream_time = -1
        self._query_id = query_id
        self._partition = partition
        self._state = state
        self._errors = errors
        self._hot = hot

    def label(self, name: str) -> str:
        """The full name of a step's store in this task."""
        return f"{self._query_id}/{name}/{self._partition}"

    def keep(self, store: S) -> S:
        """Take a store in, with what the log holds of it."""
        self.stores[store.name] = store
        if isinstance(store, Backed):
            store.attach(Backing(self._state, store.name, CODEC, self._hot))
        else:
            store.restore(self._state.scan_state(store.name), CODEC)
        return store

    def task(self, **parts: Any) -> SimpleNamespace:
        """The bundle of functions that `bind` returns."""
        return SimpleNamespace(**parts)

    def drain(self, commit: Commit) -> None:
        """Add what changed in the stores to a commit."""
        for name, store in self.stores.items():
            if entries := store.drain(CODEC):
                commit.state[name] = entries
            if isinstance(store, Backed) and (gone := store.cleared()) is not None:
                commit.cleared[name] = gone

    def settle(self) -> None:
        """That commit was written: what lies cold may leave memory."""
        for store in self.stores.values():
            if isinstance(store, Backed):
                store.settle()

    # ---------------------------------------------------------------- reports from generated code

    def _report(self, kind: ErrorKind, logger: str, message: str, error: object, **place: Any) -> None:
        cause = error.causes if isinstance(error, SerdeError) else (str(error) or type(error).__name__)
        self._errors(ProcessingError(kind, message, cause, self._query_id, logger, **place))

    def fail(
        self,
        step: str,
        message: str,
        error: Exception,
        topic: str | None,
        partition: int | None,
        offset: int | None,
        row: tuple[Any, ...] | None = None,
    ) -> None:
        """An expression or function failed for a row."""
        self._report(
            "RECORD_PROCESSING_ERROR",
            step,
            f"{message}: {error}",
            error,
            topic=topic,
            partition=partition,
            offset=offset,
            record=_shown(row),
        )

    def exclude(self, step: str, key: tuple[Any, ...], row: tuple[Any, ...]) -> None:
        """A row whose group-by column is null belongs to no group."""
        message = (
            f"Group-by column with index {key.index(None)} resolved to null. "
            "The source row will be excluded from the table."
        )
        self._errors(
            ProcessingError(
                "RECORD_PROCESSING_ERROR",
                message,
                (),
                self._query_id,
                step,
                partition=self._partition,
                record=_shown(row),
            )
        )

    def bad_record(
        self,
        topic: str,
        partition: int,
        offset: int,
        target: Literal["key", "value"],
        data: bytes | None,
        error: Exception,
    ) -> None:
        """A key or value is not of the declared format or schema; the record is skipped."""
        self._report(
            "DESERIALIZATION_ERROR",
            "KsqlTopic.Source.deserializer",
            str(error),
            error,
            topic=topic,
            partition=partition,
            offset=offset,
            record=data,
            target=target,
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
            topic=topic,
            partition=partition,
            offset=offset,
            record=value,
        )

    def bad_output(self, topic: str, row: tuple[Any, ...] | None, error: Exception) -> None:
        """A result cannot be written in the sink's format; as in ksqlDB, the query stops there."""
        self._report(
            "SERIALIZATION_ERROR",
            "Sink.serializer",
            f"Error serializing message to topic: {topic}. {error}",
            error,
            topic=topic,
            partition=self._partition,
            record=_shown(row),
        )


def _shown(row: tuple[Any, ...] | None) -> bytes | None:
    """A row as JSON, for a person."""
    return None if row is None else orjson.dumps(row, default=str, option=orjson.OPT_NON_STR_KEYS)
