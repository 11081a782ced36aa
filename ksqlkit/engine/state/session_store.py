"""Sessions of each key, ordered by end and start, in segments of time that expire as a whole."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable
from typing import Any

from ksqlkit.engine.state.store import Codec, Key

Session = tuple[Any, ...]  # end, start, entry: no two sessions of a key have the same bounds


def segment_interval(retention: int) -> int:
    """How many milliseconds Kafka Streams keeps in one segment of a store."""
    return max(retention // 2, 60_000)


def _bounds(place: tuple[Any, ...]) -> tuple[int, int]:
    return place[0], place[1]


class SessionStore:
    """`data` is key -> sessions as (end, start, entry), ascending. An `ordered` store can tell which have closed."""

    def __init__(self, name: str, retention: int, ordered: bool = False) -> None:
        self.name = name
        self.retention = retention
        self.interval = segment_interval(retention)
        self.time = -1
        self._oldest = 0  # number of the oldest segment kept
        self.data: dict[Key, list[Session]] = {}
        self.dirty: set[tuple[Key, int, int]] = set()
        self._segments: dict[int, set[tuple[Key, int, int]]] = {}
        self._ordered = ordered
        self._by_end: list[tuple[int, int, Key]] = []

    def find(self, key: Key, earliest_end: int, latest_start: int) -> list[Session]:
        """Sessions of the key that end at or after the one and start at or before the other."""
        sessions = self.data.get(key)
        if not sessions:
            return []
        low = max(earliest_end, self.time - self.retention + 1)
        if sessions[-1][0] < low:
            return []
        return [s for s in sessions[bisect_left(sessions, (low,)) :] if s[1] <= latest_start]

    def get(self, key: Key, start: int, end: int) -> Any:
        """The entry of one session, or None."""
        sessions = self.data.get(key, [])
        at = bisect_left(sessions, (end, start))
        return sessions[at][2] if at < len(sessions) and sessions[at][:2] == (end, start) else None

    def remove(self, key: Key, end: int, start: int) -> None:
        """Forget one session."""
        sessions = self.data.get(key, [])
        at = bisect_left(sessions, (end, start))
        if at < len(sessions) and sessions[at][:2] == (end, start):
            if len(sessions) == 1:
                del self.data[key]
            else:
                del sessions[at]
        self.time = max(self.time, end)
        self._segments.get(end // self.interval, set()).discard((key, end, start))
        if self._ordered:
            at = bisect_left(self._by_end, (end, start), key=_bounds)
            del self._by_end[self._by_end.index((end, start, key), at)]
        self.dirty.add((key, end, start))

    def put(self, key: Key, end: int, start: int, entry: Any) -> None:
        """Add or replace a session; segments that retention has passed expire."""
        if end > self.time:
            self.time = end
        oldest = (self.time - self.retention) // self.interval
        if end // self.interval < oldest:
            return
        self._insert(key, (end, start, entry))
        self.dirty.add((key, end, start))
        if oldest > self._oldest:
            self._expire(oldest)

    def _expire(self, oldest: int) -> None:
        """Drop the segments before that one."""
        self._oldest = oldest
        for segment in [s for s in self._segments if s < oldest]:
            for place in list(self._segments[segment]):
                self.remove(*place)
            del self._segments[segment]

    def _insert(self, key: Key, session: Session) -> None:
        end, start, _ = session
        sessions = self.data.get(key)
        if sessions is None:
            self.data[key] = [session]
        elif sessions[-1][:2] < (end, start):
            sessions.append(session)
        else:
            at = bisect_left(sessions, (end, start))
            if sessions[at][:2] == (end, start):
                sessions[at] = session
                return
            sessions.insert(at, session)
        self._segments.setdefault(end // self.interval, set()).add((key, end, start))
        if self._ordered:
            insort(self._by_end, (end, start, key), key=_bounds)

    def closed(self, low: int, high: int, order: Callable[[Key], bytes]) -> list[tuple[int, int, Key, Any]]:
        """(start, end, key, entry) of sessions that end in [low, high], by end, start and serialized key."""
        first = bisect_left(self._by_end, low, key=lambda p: p[0])
        last = bisect_right(self._by_end, high, key=lambda p: p[0])
        found = self._by_end[first:last]
        if len(found) > 1:
            found.sort(key=lambda p: (p[0], p[1], order(p[2])))
        return [(start, end, key, self.get(key, start, end)) for end, start, key in found]

    def restore(self, entries: Iterable[tuple[bytes, bytes]], codec: Codec) -> None:
        """Take back what earlier drains wrote."""
        for raw_key, raw in entries:
            key, end, start = codec.decode_key(raw_key)
            self._insert(key, (end, start, codec.decode(raw)))
            self.time = max(self.time, end)

    def drain(self, codec: Codec) -> dict[bytes, bytes | None]:
        """What changed since the last drain."""
        changed: dict[bytes, bytes | None] = {}
        for place in self.dirty:
            key, end, start = place
            entry = self.get(key, start, end)
            changed[codec.encode(place)] = None if entry is None else codec.encode(entry)
        self.dirty.clear()
        return changed
