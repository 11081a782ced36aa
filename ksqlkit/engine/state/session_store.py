"""Sessions of each key, ordered by end and start, in segments of time that expire as a whole."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable
from typing import Any

from ksqlkit.engine.state.store import Codec, Key

Session = tuple[int, int, Any]  # end, start, entry


def segment_interval(retention: int) -> int:
    """How many milliseconds Kafka Streams keeps in one segment of a store."""
    return max(retention // 2, 60_000)


class SessionStore:
    """`data` is key -> sessions as (end, start, entry), ascending."""

    def __init__(self, name: str, retention: int) -> None:
        self.name = name
        self.retention = retention
        self.interval = segment_interval(retention)
        self.time = -1
        self.data: dict[Key, list[Session]] = {}
        self.dirty: set[tuple[Key, int, int]] = set()
        self._segments: dict[int, set[tuple[Key, int, int]]] = {}

    def find(self, key: Key, earliest_end: int, latest_start: int) -> list[Session]:
        """Sessions of the key that end at or after the one and start at or before the other."""
        sessions = self.data.get(key)
        if not sessions:
            return []
        low = max(earliest_end, self.time - self.retention + 1)
        return [s for s in sessions if s[0] >= low and s[1] <= latest_start]

    def get(self, key: Key, start: int, end: int) -> Any:
        """The entry of one session, or None."""
        return next((s[2] for s in self.data.get(key, ()) if s[0] == end and s[1] == start), None)

    def remove(self, key: Key, end: int, start: int) -> None:
        """Forget one session."""
        left = [s for s in self.data.get(key, ()) if s[0] != end or s[1] != start]
        if left:
            self.data[key] = left
        else:
            self.data.pop(key, None)
        self.time = max(self.time, end)
        self._segments.get(end // self.interval, set()).discard((key, end, start))
        self.dirty.add((key, end, start))

    def put(self, key: Key, end: int, start: int, entry: Any) -> None:
        """Add or replace a session; segments that retention has passed expire."""
        self.time = max(self.time, end)
        oldest = (self.time - self.retention) // self.interval
        if end // self.interval < oldest:
            return
        sessions = self.data.setdefault(key, [])
        self._insert(sessions, (end, start, entry))
        self._segments.setdefault(end // self.interval, set()).add((key, end, start))
        self.dirty.add((key, end, start))
        for segment in [s for s in self._segments if s < oldest]:
            for place in list(self._segments.pop(segment)):
                self.remove(*place)

    @staticmethod
    def _insert(sessions: list[Session], session: Session) -> None:
        for index, old in enumerate(sessions):
            if old[0] == session[0] and old[1] == session[1]:
                sessions[index] = session
                return
        insort(sessions, session, key=lambda s: (s[0], s[1]))

    def closed(self, low: int, high: int, order: Callable[[Key], bytes]) -> list[tuple[int, int, Key, Any]]:
        """(start, end, key, entry) of sessions that end in [low, high], by end, start and serialized key."""
        found = [
            (end, start, key, entry)
            for key, sessions in self.data.items()
            for end, start, entry in sessions
            if low <= end <= high
        ]
        found.sort(key=lambda s: (s[0], s[1], order(s[2])))
        return [(start, end, key, entry) for end, start, key, entry in found]

    def restore(self, entries: Iterable[tuple[bytes, bytes]], codec: Codec) -> None:
        """Take back what earlier drains wrote."""
        for raw_key, raw in entries:
            key, end, start = codec.decode_key(raw_key)
            insort(self.data.setdefault(key, []), (end, start, codec.decode(raw)), key=lambda s: (s[0], s[1]))
            self._segments.setdefault(end // self.interval, set()).add((key, end, start))
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
