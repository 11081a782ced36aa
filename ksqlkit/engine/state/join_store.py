"""State of stream-stream joins: each side's records for as long as the window and grace last, and the records of an
outer join that have found no partner yet."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from typing import Any

from ksqlkit.engine.state.session_store import segment_interval
from ksqlkit.engine.state.store import Codec, Key

Row = tuple[Any, ...]  # timestamp, sequence number, values


class JoinStore:
    """One side's records by key, in segments of time; `fetch` gives those of a range by timestamp, then arrival."""

    def __init__(self, name: str, retention: int) -> None:
        self.name = name
        self.retention = retention
        self.interval = segment_interval(retention)
        self.time = -1
        self._oldest = 0  # number of the oldest segment kept
        self._sequence = 0
        self._segments: dict[int, dict[Key, list[Row]]] = {}
        self._changed: dict[tuple[Key, int, int], Any] = {}

    def put(self, key: Key, timestamp: int, values: Any) -> None:
        """Keep a record."""
        if timestamp > self.time:
            self.time = timestamp
            oldest = (timestamp - self.retention) // self.interval
            if oldest > self._oldest:
                self._expire(oldest)
        segment = timestamp // self.interval
        if segment < self._oldest:
            return
        self._sequence = sequence = self._sequence + 1
        held = self._segments.get(segment)
        if held is None:
            held = self._segments[segment] = {}
        rows = held.get(key)
        if rows is None:
            held[key] = [(timestamp, sequence, values)]
        elif rows[-1][0] <= timestamp:
            rows.append((timestamp, sequence, values))
        else:
            insort(rows, (timestamp, sequence, values))  # the number decides before values are compared
        self._changed[key, timestamp, sequence] = values

    def _expire(self, oldest: int) -> None:
        """Drop the segments before that one."""
        self._oldest = oldest
        for old in [s for s in self._segments if s < oldest]:
            for gone, rows in self._segments.pop(old).items():
                for ts, sequence, _ in rows:
                    self._changed[(gone, ts, sequence)] = None

    def fetch(self, key: Key, low: int, high: int) -> list[Row]:
        """The key's records with low <= timestamp <= high that retention has not passed."""
        low = max(low, self.time - self.retention + 1)
        found: list[Row] = []
        if high < low:
            return found
        first, last = low // self.interval, high // self.interval
        segments = self._segments
        numbers = range(first, last + 1) if last - first < len(segments) else sorted(segments)
        for number in numbers:
            rows = segments.get(number, {}).get(key)
            if rows:
                start = 0 if rows[0][0] >= low else bisect_left(rows, (low,))
                end = len(rows) if rows[-1][0] <= high else bisect_left(rows, (high + 1,))
                found += rows[start:end]
        return found

    def restore(self, entries: Iterable[tuple[bytes, bytes]], codec: Codec) -> None:
        """Take back what earlier drains wrote."""
        for raw_key, raw in entries:
            key, timestamp, sequence = codec.decode_key(raw_key)
            rows = self._segments.setdefault(timestamp // self.interval, {}).setdefault(key, [])
            insort(rows, (timestamp, sequence, codec.decode(raw)))
            self.time = max(self.time, timestamp)
            self._sequence = max(self._sequence, sequence)
        self._oldest = (self.time - self.retention) // self.interval

    def drain(self, codec: Codec) -> dict[bytes, bytes | None]:
        """What changed since the last drain."""
        encode = codec.encode
        changed = {encode(k): None if v is None else encode(v) for k, v in self._changed.items()}
        self._changed.clear()
        return changed


Place = tuple[int, int, bytes]  # timestamp, 0 for the right side and 1 for the left, serialized key


class OuterStore:
    """Unmatched records of an outer join, in the byte order of Kafka Streams' key: timestamp, side, key."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._rows: dict[Place, tuple[Any, list[Any]]] = {}
        self._order: list[Place] = []
        self._dirty: set[Place] = set()

    def add(self, place: Place, key: Key, values: Any) -> None:
        """Keep a record until it finds a partner or its window closes."""
        held = self._rows.get(place)
        if held is None:
            self._rows[place] = (key, [values])
            insort(self._order, place)
        else:
            held[1].append(values)
        self._dirty.add(place)

    def discard(self, place: Place) -> None:
        """Forget all records of that time, side and key."""
        if self._rows.pop(place, None) is not None:
            del self._order[bisect_left(self._order, place)]
            self._dirty.add(place)

    def __iter__(self) -> Iterator[tuple[Place, Any, Any]]:
        """(place, key, values), one for each record, in order; nothing may be added or discarded on the way."""
        for place in self._order:
            key, rows = self._rows[place]
            for values in rows:
                yield place, key, values

    def restore(self, entries: Iterable[tuple[bytes, bytes]], codec: Codec) -> None:
        """Take back what earlier drains wrote."""
        for raw_key, raw in entries:
            place = tuple(codec.decode_key(raw_key))
            key, values = codec.decode(raw)
            self._rows[place] = (tuple(key), list(values))
            insort(self._order, place)

    def drain(self, codec: Codec) -> dict[bytes, bytes | None]:
        """What changed since the last drain."""
        changed: dict[bytes, bytes | None] = {}
        for place in self._dirty:
            held = self._rows.get(place)
            changed[codec.encode(place)] = None if held is None else codec.encode(held)
        self._dirty.clear()
        return changed
