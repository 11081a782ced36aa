"""A log in memory: for tests and for engines whose data need not outlive the process."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence

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


class _Entries:
    """A store's entries, and their keys in order once somebody asked for them."""

    __slots__ = ("_order", "_sorted", "values")

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self._order: list[bytes] | None = None
        self._sorted = True

    def change(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Put entries, and delete those whose value is None."""
        values, order = self.values, self._order
        for key, value in changes.items():
            if value is None:
                if values.pop(key, None) is not None:
                    order = self._order = None
            else:
                if order is not None and key not in values:
                    order.append(key)
                    self._sorted = False
                values[key] = value

    def keys(self, low: bytes, high: bytes | None) -> list[bytes]:
        """Keys with low <= key < high, in order."""
        if self._order is None:
            self._order = sorted(self.values)
        elif not self._sorted:
            self._order.sort()
        self._sorted = True
        order = self._order
        return order[bisect_left(order, low) : None if high is None else bisect_left(order, high)]

    def clear(self, low: bytes, high: bytes) -> None:
        """Delete the entries with low <= key < high."""
        gone = self.keys(low, high)
        for key in gone:
            del self.values[key]
        assert self._order is not None
        at = bisect_left(self._order, low)
        del self._order[at : at + len(gone)]


class MemoryLog:
    """Keeps everything in dicts and lists; `commit` checks first and then cannot fail half-way."""

    def __init__(self) -> None:
        self._topics: dict[str, TopicInfo] = {}
        self._partitions: dict[tuple[str, int], _Partition] = {}
        self._positions: dict[tuple[str, str, int], int] = {}
        self._state: dict[str, _Entries] = {}
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
        for store, (low, high) in commit.cleared.items():
            if store in self._state:
                self._state[store].clear(low, high)
        for store, changes in commit.state.items():
            if store not in self._state:
                self._state[store] = _Entries()
            self._state[store].change(changes)
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
        return self.scan_state(store)

    def get_state(self, store: str, key: bytes) -> bytes | None:
        """The value of a store's entry, or None."""
        entries = self._state.get(store)
        return None if entries is None else entries.values.get(key)

    def get_states(self, store: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The values of those of the keys that a store has entries of."""
        values = self._state[store].values if store in self._state else {}
        return {key: values[key] for key in keys if key in values}

    def scan_state(
        self, store: str, low: bytes = b"", high: bytes | None = None, batch: int = 64
    ) -> Iterator[tuple[bytes, bytes]]:
        """A store's entries with low <= key < high, in key order."""
        del batch  # all of them are here
        entries = self._state.get(store)
        if entries is not None:
            for key in entries.keys(low, high):
                yield key, entries.values[key]

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
        return sum(self.maintenance(now))

    def maintenance(self, now: int) -> Iterator[int]:
        """The same in steps, one a partition; yields the records each removed."""
        for place, part in list(self._partitions.items()):
            if self._partitions.get(place) is not part:
                continue  # the topic was deleted meanwhile
            policy = Policy.of(self._topics[place[0]])
            before = len(part.records)
            gone = expired(part.records, policy, now)
            if gone:
                part.begin = part.records[gone].offset if gone < before else part.end
                part.records = part.records[gone:]
            if policy.compact:
                fresh = sum(size(r) for r in part.records if r.offset >= part.clean)
                if worth_compacting(policy, fresh, sum(map(size, part.records))):
                    part.records = compacted(part.records, policy, now)
                    part.clean = part.end
            yield before - len(part.records)

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
