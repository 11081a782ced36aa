"""State of stream-stream joins: each side's records for as long as the window and grace last, and the records of an
outer join that have found no partner yet."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from heapq import merge
from typing import Any

from ksqlkit.engine.state.spilling import (
    FIRST,
    SpillingStore,
    prefix_of,
    segment_interval,
    stamp,
    trim,
    unstamp,
)
from ksqlkit.engine.state.store import Codec, Key

Row = tuple[Any, ...]  # timestamp, sequence number, values


class JoinStore(SpillingStore):
    """One side's records by key; `fetch` gives those of a range by timestamp, then arrival.

    In memory are the records after the time `_cold` and those since the last drain; all others are in the log only,
    by number of segment, key, timestamp and sequence number. Segments expire as a whole.
    """

    SHARE = 0.5  # a join has three stores

    def __init__(self, name: str, retention: int) -> None:
        super().__init__(name)
        self.retention = retention
        self.interval = segment_interval(retention)
        self.time = -1
        self._floor = 0  # where the oldest segment kept begins
        self._sequence = 0
        self._rows: dict[Key, list[Row]] = {}
        self._fresh: list[tuple[Key, int, int, Any]] = []
        self._late: set[Key] = set()
        self._count = 0
        self._size = 0
        self._cold = -1

    def put(self, key: Key, timestamp: int, values: Any) -> None:
        """Keep a record."""
        if timestamp > self.time:
            self.time = timestamp
            floor = (timestamp - self.retention) // self.interval * self.interval
            if floor > self._floor:
                self._floor = floor
                self._count -= trim(self._rows, list(self._rows), floor - 1)
                self._expired(floor // self.interval)
        if timestamp < self._floor:
            return
        self._sequence = sequence = self._sequence + 1
        rows = self._rows.get(key)
        if rows is None:
            self._rows[key] = [(timestamp, sequence, values)]
        elif rows[-1][0] <= timestamp:
            rows.append((timestamp, sequence, values))
        else:
            insort(rows, (timestamp, sequence, values))  # the number decides before values are compared
        self._fresh.append((key, timestamp, sequence, values))
        self._count += 1
        if timestamp <= self._cold:
            self._late.add(key)

    def fetch(self, key: Key, low: int, high: int) -> list[Row]:
        """The key's records with low <= timestamp <= high that retention has not passed."""
        low = max(low, self.time - self.retention + 1)
        if high < low:
            return []
        found: list[Row] = []
        rows = self._rows.get(key)
        if rows:
            start = 0 if rows[0][0] >= low else bisect_left(rows, (low,))
            end = len(rows) if rows[-1][0] <= high else bisect_left(rows, (high + 1,))
            found = rows[start:end]
        if low <= self._cold:
            found += self._recalled(key, low, min(high, self._cold))
            found.sort()
        return found

    def _recalled(self, key: Key, low: int, high: int) -> Iterator[Row]:
        """The key's records of that range that the log holds."""
        assert self.backing is not None
        text, decode = self.backing.codec.encode(key), self.backing.codec.decode
        for segment in range(low // self.interval, high // self.interval + 1):
            prefix = prefix_of(segment, text)
            at = len(prefix)
            for raw, value in self.backing.scan(prefix + stamp(low), prefix + stamp(high + 1), 16):
                yield unstamp(raw[at:]), unstamp(raw[at + 8 :]), decode(value)

    def _numbers(self) -> tuple[int, ...]:
        return self.time, self._sequence

    def _resume(self, *numbers: int) -> None:
        self.time, self._sequence = numbers
        self._cold = self.time
        self._floor = (self.time - self.retention) // self.interval * self.interval

    def _take(self, entries: Iterable[tuple[bytes, bytes]], codec: Codec) -> None:
        for raw_key, raw in entries:
            key, timestamp, sequence = codec.decode_key(raw_key)
            values = codec.decode(raw)
            insort(self._rows.setdefault(key, []), (timestamp, sequence, values))
            self._fresh.append((key, timestamp, sequence, values))
            self._count += 1
            self.time = max(self.time, timestamp)
            self._sequence = max(self._sequence, sequence)

    def _changes(self, codec: Codec) -> dict[bytes, bytes | None]:
        encode, interval, floor = codec.encode, self.interval, self._floor
        changed: dict[bytes, bytes | None] = {
            prefix_of(timestamp // interval, encode(key)) + stamp(timestamp) + stamp(sequence): encode(values)
            for key, timestamp, sequence, values in self._fresh
            if timestamp >= floor
        }
        if changed:
            self._size = sum(len(value or b"") for value in changed.values()) // len(changed)
        self._fresh.clear()
        return changed

    def settle(self) -> None:
        """Let the oldest records go while there are more in memory than there should be."""
        self._count -= trim(self._rows, [key for key in self._late if key in self._rows], self._cold)
        self._late.clear()
        surplus = self._surplus(self._count, self._size)
        if surplus > 0:
            times = sorted(timestamp for rows in self._rows.values() for timestamp, _, _ in rows)
            self._cold = max(self._cold, times[surplus - 1])
            self._count -= trim(self._rows, list(self._rows), self._cold)


Place = tuple[int, int, bytes]  # timestamp, 0 for the right side and 1 for the left, serialized key
Waiting = tuple[Any, list[Any]]  # key, values of each record


class OuterStore(SpillingStore):
    """Unmatched records of an outer join, in the byte order of Kafka Streams' key: timestamp, side, key.

    In memory are all after the time `_cold` and those that changed since the last drain.
    """

    SHARE = 0.5

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._rows: dict[Place, Waiting] = {}
        self._order: list[Place] = []
        self._dirty: set[Place] = set()
        self._last = -1  # the greatest time of all records so far
        self._size = 0
        self._cold = -1

    def add(self, place: Place, key: Key, values: Any) -> None:
        """Keep a record until it finds a partner or its window closes."""
        held = self._rows.get(place)
        if held is None:
            before = self._on_disk(place)
            self._rows[place] = (key, [*before, values])
            insort(self._order, place)
            self._last = max(self._last, place[0])
        else:
            held[1].append(values)
        self._dirty.add(place)

    def _on_disk(self, place: Place) -> list[Any]:
        """Values of records that are there in the log only."""
        if self.backing is None or place[0] > self._cold or place in self._dirty:
            return []
        held = self.backing.get(_bytes(place))
        return [] if held is None else held[1]

    def discard(self, place: Place) -> None:
        """Forget all records of that time, side and key."""
        if self._rows.pop(place, None) is not None:
            del self._order[bisect_left(self._order, place)]
            self._dirty.add(place)
        elif place[0] <= self._cold:
            self._dirty.add(place)

    def __iter__(self) -> Iterator[tuple[Place, Any, Any]]:
        """(place, key, values), one for each record, in order; nothing may be added or discarded on the way."""
        memory = ((place, self._rows[place]) for place in self._order)
        for place, (key, rows) in merge(self._cold_rows(), memory, key=lambda item: item[0]):
            for values in rows:
                yield place, key, values

    def _cold_rows(self) -> Iterator[tuple[Place, Waiting]]:
        """What is there in the log only, in order."""
        if self.backing is None or self._cold < 0:
            return
        decode = self.backing.codec.decode
        for raw, value in self.backing.scan(FIRST, stamp(self._cold + 1)):
            place = unstamp(raw), raw[8], raw[9:]
            if place not in self._rows and place not in self._dirty:
                yield place, _waiting(decode(value))

    def _numbers(self) -> tuple[int, ...]:
        return (self._last,)

    def _resume(self, *numbers: int) -> None:
        (self._last,) = numbers
        self._cold = self._last

    def _take(self, entries: Iterable[tuple[bytes, bytes]], codec: Codec) -> None:
        for raw_key, raw in entries:
            timestamp, side, key = codec.decode_key(raw_key)
            place = (timestamp, side, key)
            self._rows[place] = _waiting(codec.decode(raw))
            insort(self._order, place)
            self._dirty.add(place)
            self._last = max(self._last, timestamp)

    def _changes(self, codec: Codec) -> dict[bytes, bytes | None]:
        changed: dict[bytes, bytes | None] = {}
        sizes = 0
        for place in self._dirty:
            held = self._rows.get(place)
            value = changed[_bytes(place)] = None if held is None else codec.encode(held)
            sizes += len(value or b"")
        if changed:
            self._size = sizes // len(changed)
        self._dirty.clear()
        return changed

    def settle(self) -> None:
        """Let the oldest records go while there are more in memory than there should be."""
        surplus = self._surplus(len(self._order), self._size)
        if surplus > 0:
            self._cold = max(self._cold, self._order[surplus - 1][0])
            gone = bisect_left(self._order, (self._cold + 1,))
            for place in self._order[:gone]:
                del self._rows[place]
            del self._order[:gone]


def _bytes(place: Place) -> bytes:
    timestamp, side, key = place
    return stamp(timestamp) + bytes((side,)) + key


def _waiting(decoded: Any) -> Waiting:
    key, rows = decoded
    return tuple(key), list(rows)
