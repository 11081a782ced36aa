"""A log in memory: for tests and for engines whose data need not outlive the process."""

from __future__ import annotations

from collections.abc import Iterable

from ksqlkit.engine.log.protocol import Commit, Record, TopicInfo
from ksqlkit.engine.log.retention import Policy, compacted, expired, size, worth_compacting
from ksqlkit.errors import ServerError


class _Partition:
    """Records kept, in offset order, the offset the next one will get, and how far it is compacted."""

    __slots__ = ("begin", "clean", "end", "records")

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.begin = 0
        self.end = 0
        self.clean = 0


class MemoryLog:
    """Keeps everything in dicts and lists; `commit` checks first and then cannot fail half-way."""

    def __init__(self) -> None:
        self._topics: dict[str, TopicInfo] = {}
        self._partitions: dict[tuple[str, int], _Partition] = {}
        self._positions: dict[tuple[str, str, int], int] = {}
        self._state: dict[str, dict[bytes, bytes]] = {}
        self._meta: dict[str, bytes] = {}

    def topics(self) -> dict[str, TopicInfo]:
        """All topics by name."""
        return dict(self._topics)

    def create_topic(self, info: TopicInfo) -> None:
        """Create a topic; one that exists with the same partitions is left alone. Raises ServerError."""
        existing = self._topics.get(info.name)
        if existing is not None:
            check_same_partitions(existing, info)
            return
        self._topics[info.name] = info
        for partition in range(info.partitions):
            self._partitions[info.name, partition] = _Partition()

    def delete_topic(self, name: str) -> None:
        """Delete a topic, its records and all positions in it."""
        if self._topics.pop(name, None) is None:
            return
        self._partitions = {k: v for k, v in self._partitions.items() if k[0] != name}
        self._positions = {k: v for k, v in self._positions.items() if k[1] != name}

    def _partition(self, topic: str, partition: int) -> _Partition:
        found = self._partitions.get((topic, partition))
        if found is None:
            raise unknown_partition(topic, partition)
        return found

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        """Up to `limit` records from `offset` on (or from the first one kept), in offset order."""
        part = self._partition(topic, partition)
        records = part.records
        if not records or offset >= part.end:
            return []
        at = max(0, offset - records[0].offset)
        if len(records) != part.end - records[0].offset:  # compacted: offsets have gaps
            low, high = 0, len(records)
            while low < high:
                middle = (low + high) // 2
                if records[middle].offset < offset:
                    low = middle + 1
                else:
                    high = middle
            at = low
        return records[at : at + limit]

    def end_offset(self, topic: str, partition: int) -> int:
        """The offset the next record will get."""
        return self._partition(topic, partition).end

    def begin_offset(self, topic: str, partition: int) -> int:
        """The offset of the first record kept."""
        return self._partition(topic, partition).begin

    def commit(self, commit: Commit) -> None:
        """Apply all or, for a partition that does not exist, nothing. Raises ServerError."""
        partitions = self._partitions
        for topic, number in {(o.topic, o.partition) for o in commit.outputs}:
            if (topic, number) not in partitions:
                raise unknown_partition(topic, number)
        for topic, number, timestamp, key, value, headers in commit.outputs:
            part = partitions[topic, number]
            part.records.append(Record(part.end, timestamp, key, value, headers))
            part.end += 1
        self._positions.update(commit.offsets)
        for store, changes in commit.state.items():
            entries = self._state.setdefault(store, {})
            for entry, content in changes.items():
                if content is None:
                    entries.pop(entry, None)
                else:
                    entries[entry] = content
        for name, content in commit.meta.items():
            if content is None:
                self._meta.pop(name, None)
            else:
                self._meta[name] = content

    def positions(self, consumer: str) -> dict[tuple[str, int], int]:
        """Committed (topic, partition) -> next offset of a consumer."""
        return {(t, p): offset for (c, t, p), offset in self._positions.items() if c == consumer}

    def load_state(self, store: str) -> Iterable[tuple[bytes, bytes]]:
        """All live entries of a store, in key order."""
        return sorted(self._state.get(store, {}).items())

    def drop_consumer(self, consumer: str) -> None:
        """Forget a consumer's positions, and every store whose name starts with `consumer` + '/'."""
        self._positions = {k: v for k, v in self._positions.items() if k[0] != consumer}
        self._state = {k: v for k, v in self._state.items() if not k.startswith(consumer + "/")}

    def load_meta(self) -> dict[str, bytes]:
        """All metadata."""
        return dict(self._meta)

    def maintain(self, now: int) -> int:
        """Delete what the topics' retention and compaction let go at `now` (milliseconds); returns records
        removed."""
        removed = 0
        for (name, _), part in self._partitions.items():
            policy = Policy.of(self._topics[name])
            before = len(part.records)
            gone = expired(part.records, policy, now)
            if gone:
                part.begin = part.records[gone].offset if gone < before else part.end
                part.records = part.records[gone:]
            fresh = sum(size(r) for r in part.records if r.offset >= part.clean)
            if worth_compacting(policy, fresh, sum(map(size, part.records))):
                part.records = compacted(part.records, policy, now)
                part.clean = part.end
            removed += before - len(part.records)
        return removed

    def close(self) -> None:
        """Nothing to release."""


def check_same_partitions(existing: TopicInfo, wanted: TopicInfo) -> None:
    """Raises ServerError when a topic exists with another number of partitions."""
    if existing.partitions != wanted.partitions:
        raise ServerError(
            f"Topic '{wanted.name}' exists with {existing.partitions} partitions, not {wanted.partitions}.",
            hint="use the existing number, or delete the topic first",
        )


def unknown_partition(topic: str, partition: int) -> ServerError:
    """The error for a record that names a topic or partition that does not exist."""
    return ServerError(
        f"Partition {partition} of topic '{topic}' does not exist.", hint="create the topic first"
    )
