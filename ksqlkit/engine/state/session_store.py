"""Sessions of each key, ordered by end and start, in segments of time that expire as a whole."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from ksqlkit.engine.state.spilling import SpillingStore, prefix_of, segment_interval, stamp, trim, unstamp
from ksqlkit.engine.state.store import Codec, Key

Session = tuple[Any, ...]  # end, start, entry: no two sessions of a key have the same bounds
_ENDS: Final = b"\xff" * 4  # where keys have a length: these order a segment's sessions by end
_BOUNDS: Final = 16  # bytes of end and start


def _bounds(session: tuple[Any, ...]) -> tuple[int, int]:
    return session[0], session[1]


class SessionStore(SpillingStore):
    """`data` is key -> sessions in memory as (end, start, entry), ascending: all that end after the time `_cold`, and
    some of the others, which the log holds. An `ordered` store can tell which have closed.

    On disk, the keys of a segment's sessions are its number, the key, end and start; an ordered store has a second
    entry for each, by end, start and key.
    """

    def __init__(self, name: str, retention: int, ordered: bool = False) -> None:
        super().__init__(name)
        self.retention = retention
        self.interval = segment_interval(retention)
        self.time = -1
        self._oldest = 0  # number of the oldest segment kept
        self.data: dict[Key, list[Session]] = {}
        self.dirty: set[tuple[Key, int, int]] = set()
        self._ordered = ordered
        self._by_end: list[tuple[int, int, Key]] = []
        self._count = 0
        self._size = 0
        self._cold = -1

    def find(self, key: Key, earliest_end: int, latest_start: int) -> list[Session]:
        """Sessions of the key that end at or after the one and start at or before the other."""
        low = max(earliest_end, self.time - self.retention + 1)
        if low <= self._cold:
            self._recall(key, low, latest_start)
        sessions = self.data.get(key)
        if not sessions or sessions[-1][0] < low:
            return []
        return [s for s in sessions[bisect_left(sessions, (low,)) :] if s[1] <= latest_start]

    def _recall(self, key: Key, low: int, latest_start: int) -> None:
        """Read the key's sessions that `find` asks for into memory."""
        assert self.backing is not None
        decode = self.backing.codec.decode
        for end, start, value in self._on_disk(key, low, self._cold, 4):
            if start > latest_start:  # sessions of a key do not overlap: all others are later
                return
            if (key, end, start) not in self.dirty:
                self._insert(key, (end, start, decode(value)))

    def _on_disk(self, key: Key, low: int, high: int, batch: int) -> Iterator[tuple[int, int, bytes]]:
        """(end, start, entry as bytes) of the key's sessions that end in [low, high], whether in memory or not."""
        assert self.backing is not None
        text = self.backing.codec.encode(key)
        for segment in range(max(low // self.interval, self._oldest), high // self.interval + 1):
            prefix = prefix_of(segment, text)
            at = len(prefix)
            for raw, value in self.backing.scan(prefix + stamp(low), prefix + stamp(high + 1), batch):
                yield unstamp(raw[at:]), unstamp(raw[at + 8 :]), value

    def _in_memory(self, key: Key, end: int, start: int) -> int | None:
        """Where among the key's sessions in memory that one stands, if it is there."""
        sessions = self.data.get(key, ())
        at = bisect_left(sessions, (end, start))
        return at if at < len(sessions) and sessions[at][:2] == (end, start) else None

    def get(self, key: Key, start: int, end: int) -> Any:
        """The entry of one session, or None."""
        at = self._in_memory(key, end, start)
        if at is not None:
            return self.data[key][at][2]
        if self.backing is None or end > self._cold or (key, end, start) in self.dirty:
            return None
        if end // self.interval < self._oldest:
            return None
        return self.backing.get(self._place(key, end, start))

    def _place(self, key: Key, end: int, start: int) -> bytes:
        assert self.backing is not None
        return prefix_of(end // self.interval, self.backing.codec.encode(key)) + stamp(end) + stamp(start)

    def remove(self, key: Key, end: int, start: int) -> None:
        """Forget one session."""
        at = self._in_memory(key, end, start)
        if at is not None:
            sessions = self.data[key]
            if len(sessions) == 1:
                del self.data[key]
            else:
                del sessions[at]
            self._count -= 1
            if self._ordered:
                first = bisect_left(self._by_end, (end, start), key=_bounds)
                del self._by_end[self._by_end.index((end, start, key), first)]
        self.time = max(self.time, end)
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
            self._oldest = oldest
            self._trim(oldest * self.interval - 1)
            self._expired(oldest)

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
        self._count += 1
        if self._ordered:
            insort(self._by_end, (end, start, key), key=_bounds)

    def _trim(self, last: int) -> None:
        """Take the sessions out of memory that end at that time or before."""
        self._count -= trim(self.data, list(self.data), last)
        del self._by_end[: bisect_left(self._by_end, last + 1, key=lambda p: p[0])]

    # ---------------------------------------------------------------- looking

    def _elsewhere(self, key: Key, end: int, start: int) -> bool:
        """Whether a session that the log holds is in memory too, or was removed."""
        return self._in_memory(key, end, start) is not None or (key, end, start) in self.dirty

    def closed(
        self, low: int, high: int, order: Callable[[Key], bytes]
    ) -> Iterator[tuple[int, int, Key, Any]]:
        """(start, end, key, entry) of sessions that end in [low, high], by end, start and serialized key."""
        first = bisect_left(self._by_end, low, key=lambda p: p[0])
        last = bisect_right(self._by_end, high, key=lambda p: p[0])
        found = [*self._by_end[first:last], *self._cold_by_end(low, min(high, self._cold))]
        if len(found) > 1:
            found.sort(key=lambda p: (p[0], p[1], order(p[2])))
        return ((start, end, key, self.get(key, start, end)) for end, start, key in found)

    def _cold_by_end(self, low: int, high: int) -> Iterator[tuple[int, int, Key]]:
        """(end, start, key) of the sessions on disk only that end in [low, high]."""
        if self.backing is None or low > high:
            return
        for segment in range(max(low // self.interval, self._oldest), high // self.interval + 1):
            prefix = stamp(segment) + _ENDS
            at = len(prefix)
            for raw, _ in self.backing.scan(prefix + stamp(low), prefix + stamp(high + 1)):
                end, start = unstamp(raw[at:]), unstamp(raw[at + 8 :])
                key = self.backing.codec.decode_key(raw[at + _BOUNDS :])
                if not self._elsewhere(key, end, start):
                    yield end, start, key

    def places(self) -> Iterator[tuple[Key, int, int]]:
        """(key, start, end) of all sessions."""
        if self.backing is not None and self._cold >= 0:
            decode_key, low = self.backing.codec.decode_key, stamp(self._oldest)
            for raw, _ in self.backing.scan(low, stamp(self._cold // self.interval + 1)):
                if raw[8:12] != _ENDS:
                    key = decode_key(raw[12:-_BOUNDS])
                    end, start = unstamp(raw[-_BOUNDS:]), unstamp(raw[-8:])
                    if not self._elsewhere(key, end, start):
                        yield key, start, end
        for key, sessions in self.data.items():
            yield from ((key, start, end) for end, start, _ in sessions)

    def sessions_of(self, key: Key) -> list[tuple[int, int]]:
        """(start, end) of the key's sessions, by end."""
        found = {(end, start) for end, start, _ in self.data.get(key, [])}
        if self.backing is not None:
            for end, start, _ in self._on_disk(key, self._oldest * self.interval, self._cold, 64):
                if (key, end, start) not in self.dirty:
                    found.add((end, start))
        return [(start, end) for end, start in sorted(found)]

    # ---------------------------------------------------------------- keeping

    def _numbers(self) -> tuple[int, ...]:
        return (self.time,)

    def _resume(self, *numbers: int) -> None:
        (self.time,) = numbers
        self._cold = self.time
        self._oldest = (self.time - self.retention) // self.interval

    def _take(self, entries: Iterable[tuple[bytes, bytes]], codec: Codec) -> None:
        for raw_key, raw in entries:
            key, end, start = codec.decode_key(raw_key)
            self._insert(key, (end, start, codec.decode(raw)))
            self.dirty.add((key, end, start))
            self.time = max(self.time, end)

    def _changes(self, codec: Codec) -> dict[bytes, bytes | None]:
        changed: dict[bytes, bytes | None] = {}
        encode, interval, sizes = codec.encode, self.interval, 0
        for key, end, start in self.dirty:
            segment = end // interval
            if segment < self._oldest:
                continue
            at = self._in_memory(key, end, start)
            text, bounds = encode(key), stamp(end) + stamp(start)
            value = None if at is None else encode(self.data[key][at][2])
            sizes += len(value or b"")
            changed[prefix_of(segment, text) + bounds] = value
            if self._ordered:
                changed[stamp(segment) + _ENDS + bounds + text] = None if at is None else b""
        if changed:
            self._size = sizes // len(changed)
        self.dirty.clear()
        return changed

    def settle(self) -> None:
        """Let the sessions that ended first go while there are more in memory than there should be."""
        surplus = self._surplus(self._count, self._size)
        if surplus > 0:
            ends = sorted(end for sessions in self.data.values() for end, _, _ in sessions)
            self._trim(ends[surplus - 1])
            self._cold = max(self._cold, ends[surplus - 1])
