"""Kafka in memory, as far as a processor sees it: topics, a group's offsets, transactions that are all or nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicPartition


def trouble(
    code: int, *, retriable: bool = False, abort: bool = False, fatal: bool = False
) -> KafkaException:
    """What a client raises."""
    return KafkaException(KafkaError(code, "trouble", fatal, retriable, abort))


class Sent(NamedTuple):
    """A record of a topic."""

    key: bytes | None
    value: bytes | None
    timestamp: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()


class Message:
    """What a consumer gets: a record at its place, or an error."""

    def __init__(
        self, partition: int, offset: int, sent: Sent | None, error: KafkaError | None = None
    ) -> None:
        self._partition, self._offset, self._sent, self._error = partition, offset, sent, error

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def error(self) -> KafkaError | None:
        return self._error

    def __getattr__(self, name: str) -> Callable[[], Any]:
        sent = self._sent
        assert sent is not None
        given = {"key": sent.key, "value": sent.value, "headers": list(sent.headers) or None}
        given["timestamp"] = (1, sent.timestamp)
        return lambda: given[name]


@dataclass
class Cluster:
    """The input's partitions, what was committed of all topics, and how far the group has come. `troubles` has what a
    producer's step raises, once each; `events` are done at the consumer's next calls, one at each."""

    source: dict[int, list[Sent]]
    topics: dict[str, list[tuple[int, Sent]]] = field(default_factory=lambda: defaultdict(list))
    committed: dict[int, int] = field(default_factory=dict)
    troubles: dict[str, list[Exception]] = field(default_factory=dict)
    events: list[Callable[[Consumer], object]] = field(default_factory=list)
    notes: dict[int, str | None] = field(default_factory=dict)  # beside the offsets
    commits: list[int] = field(default_factory=list)  # records of each transaction
    producers: list[str] = field(default_factory=list)  # names of all that were made
    consumer: Consumer | None = None

    def make_consumer(
        self, properties: Mapping[str, str], group: str, instance: str | None, *, to_end: bool
    ) -> Any:
        """As `ksqlkit.processor.kafka.make_consumer`."""
        self.consumer = Consumer(self, to_end)
        return self.consumer

    def make_producer(self, properties: Mapping[str, str], name: str) -> Any:
        """As `ksqlkit.processor.kafka.make_producer`."""
        self.producers.append(name)
        return Producer(self)

    def values(self, topic: str, partition: int | None = None) -> list[bytes | None]:
        """Committed values of a topic, in order."""
        return [sent.value for p, sent in self.topics[topic] if partition in (None, p)]


class Consumer:
    """The group's only member, which has all partitions at first."""

    def __init__(self, cluster: Cluster, to_end: bool) -> None:
        self._cluster, self._to_end = cluster, to_end
        self.owned: set[int] = set()
        self.paused: set[int] = set()
        self.positions: dict[int, int] = {}
        self._told: set[int] = set()
        self.closed = False

    def subscribe(self, _: list[str], *, on_assign: Any, on_revoke: Any, on_lost: Any) -> None:
        self._on_assign, self._on_revoke, self._on_lost = on_assign, on_revoke, on_lost
        self._cluster.events.insert(0, lambda c: c.give(self._cluster.source))

    def give(self, partitions: Iterable[int]) -> None:
        """Assign partitions, which start from what is committed."""
        gained = [p for p in partitions if p not in self.owned]
        self.owned |= {*gained}
        self.positions |= {p: self._cluster.committed.get(p, 0) for p in gained}
        self._told -= {*gained}
        self._on_assign(self, [TopicPartition("in", p) for p in gained])

    def take(self, *partitions: int) -> None:
        """Give partitions to another process."""
        self.owned -= {*partitions}
        self._on_revoke(self, [TopicPartition("in", p) for p in partitions])

    def consume(self, count: int, _: float) -> list[Message]:
        self._happen()
        found: list[Message] = []
        for partition in sorted(self.owned - self.paused):
            records = self._cluster.source[partition]
            while len(found) < count and self.positions[partition] < len(records):
                offset = self.positions[partition]
                found.append(Message(partition, offset, records[offset]))
                self.positions[partition] += 1
            if self._to_end and len(found) < count and partition not in self._told:
                self._told.add(partition)
                found.append(Message(partition, len(records), None, KafkaError(KafkaError._PARTITION_EOF)))
        return found

    def poll(self, _: float) -> Message | None:
        self._happen()
        return None

    def _happen(self) -> None:
        if self._cluster.events:
            self._cluster.events.pop(0)(self)

    def pause(self, places: list[TopicPartition]) -> None:
        self.paused |= {p.partition for p in places}

    def resume(self, places: list[TopicPartition]) -> None:
        self.paused -= {p.partition for p in places}

    def seek(self, place: TopicPartition) -> None:
        if place.partition not in self.owned:
            raise trouble(KafkaError._STATE)
        self.positions[place.partition] = place.offset
        self._told.discard(place.partition)

    def committed(self, places: list[TopicPartition], _: float) -> list[TopicPartition]:
        return [
            TopicPartition("in", p.partition, self._cluster.committed.get(p.partition, -1001)) for p in places
        ]

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        self._cluster.committed |= {o.partition: o.offset for o in offsets}
        self._cluster.notes |= {o.partition: o.metadata for o in offsets}

    def consumer_group_metadata(self) -> object:
        return object()

    def get_watermark_offsets(self, place: TopicPartition, *, cached: bool) -> tuple[int, int]:
        return 0, len(self._cluster.source[place.partition])

    def close(self) -> None:
        self.take(*self.owned)
        self.closed = True


class Producer:
    """A transactional producer."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._sent: list[tuple[str, int, Sent]] = []
        self._offsets: dict[int, int] = {}
        self._notes: dict[int, str | None] = {}

    def _step(self, name: str) -> None:
        if self._cluster.troubles.get(name):
            raise self._cluster.troubles[name].pop(0)

    def init_transactions(self, _: float) -> None:
        self._step("init")

    def begin_transaction(self) -> None:
        self._step("begin")
        self._sent, self._offsets = [], {}

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        callback: None,
        on_delivery: None,
        timestamp: int,
        headers: Iterable[tuple[str, bytes]] = (),
    ) -> None:
        self._step("produce")
        self._sent.append((topic, partition, Sent(key, value, timestamp, tuple(headers))))

    def send_offsets_to_transaction(self, offsets: list[TopicPartition], _: object, __: float) -> None:
        self._step("offsets")
        self._offsets = {o.partition: o.offset for o in offsets}
        self._notes = {o.partition: o.metadata for o in offsets}

    def commit_transaction(self, _: float) -> None:
        self._step("commit")
        for topic, partition, sent in self._sent:
            self._cluster.topics[topic].append((partition, sent))
        self._cluster.committed |= self._offsets
        self._cluster.notes |= self._notes
        self._cluster.commits.append(len(self._sent))
        self._step("committed")

    def abort_transaction(self, _: float) -> None:
        self._step("abort")
        self._sent, self._offsets = [], {}

    def poll(self, _: float) -> None: ...

    def purge(self) -> None: ...

    def flush(self, _: float) -> None: ...
