"""The seam between the engine and where records live.

A log holds topics (partitioned, append-only lists of records), the engine's key-value state and its metadata.
One `commit` makes input positions, state changes and output records durable together or not at all: that is
what makes results exactly-once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

Headers = tuple[tuple[str, bytes | None], ...]
KeyRange = tuple[bytes, bytes]  # low <= key < high


class Record(NamedTuple):
    """One record as it lies in a partition. `timestamp` is milliseconds since 1970-01-01 UTC."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Output(NamedTuple):
    """A record to append; the log gives it its offset."""

    topic: str
    partition: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(slots=True)
class Commit:
    """What one poll did: all of it becomes durable, or none."""

    outputs: Sequence[Output] = ()
    # (consumer, topic, partition) -> next offset to read
    offsets: dict[tuple[str, str, int], int] = field(default_factory=dict)
    # store name -> {key: value or None for a delete}
    state: dict[str, dict[bytes, bytes | None]] = field(default_factory=dict)
    # engine metadata (statements run, catalogue version ...): None deletes
    meta: dict[str, bytes | None] = field(default_factory=dict)
    # store name -> entries to delete before `state` is written
    cleared: dict[str, KeyRange] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """A topic's settings. `config` holds Kafka topic configuration such as cleanup.policy and
    retention.ms."""

    name: str
    partitions: int
    replicas: int = 1
    config: tuple[tuple[str, str], ...] = ()


class StateReader(Protocol):
    """Look-ups in the state that was committed."""

    def get_state(self, store: str, key: bytes) -> bytes | None:
        """The value of a store's entry, or None."""

    def get_states(self, store: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The values of those of the keys that a store has entries of."""

    def scan_state(
        self, store: str, low: bytes = b"", high: bytes | None = None, batch: int = 64
    ) -> Iterator[tuple[bytes, bytes]]:
        """A store's entries with low <= key < high (None is open), in key order; read some at a time,
        `batch` of them at first."""


class Log(StateReader, Protocol):
    """Topics, state and metadata behind one commit."""

    def topics(self) -> dict[str, TopicInfo]:
        """All topics by name."""

    def create_topic(self, info: TopicInfo) -> None:
        """Create a topic; a topic that exists with the same partitions is left alone."""

    def delete_topic(self, name: str) -> None:
        """Delete a topic and its records."""

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        """Up to `limit` records from `offset` on (or from the first one kept), in offset order."""

    def end_offset(self, topic: str, partition: int) -> int:
        """The offset the next record will get."""

    def begin_offset(self, topic: str, partition: int) -> int:
        """The offset of the first record kept."""

    def commit(self, commit: Commit) -> None:
        """Apply atomically; on return it is as durable as the log promises."""

    def positions(self, consumer: str) -> dict[tuple[str, int], int]:
        """Committed (topic, partition) -> next offset of a consumer."""

    def load_state(self, store: str) -> Iterable[tuple[bytes, bytes]]:
        """All live entries of a store, in key order."""

    def drop_consumer(self, consumer: str) -> None:
        """Forget a consumer's positions, and every store whose name starts with `consumer` + '/'."""

    def load_meta(self) -> dict[str, bytes]:
        """All metadata."""

    def maintain(self, now: int) -> int:
        """Delete what the topics' retention and compaction let go at `now` (milliseconds); records removed."""

    def maintenance(self, now: int) -> Iterator[int]:
        """`maintain` in steps of bounded work, between which the log may be used; yields what each removed."""

    def close(self) -> None:
        """Release files; nothing committed is lost."""
