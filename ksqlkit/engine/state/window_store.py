"""Aggregates by window start, then key; whole windows leave when retention passes them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from itertools import groupby
from typing import Any, Final

from ksqlkit.engine.state.spilling import LARGE_ENTRY, SpillingStore, stamp, unstamp
from ksqlkit.engine.state.store import Codec, Key

Window = dict[Key, Any]
_MANY_STARTS: Final = 20_000  # more of them are looked for first, as most windows may have no entry at all


class ColdWindow(Window):
    """A window of which the log has entries; only those that changed since are here, the others are looked up."""

    def __init__(self, read: Callable[[Key], Any]) -> None:
        super().__init__()
        self._read = read

    def get(self, key: Key, default: Any = None) -> Any:
        """The key's entry, wherever it is."""
        found = super().get(key)
        if found is None:
            found = self._read(key)
        return default if found is None else found


class WindowStore(SpillingStore):
    """`data` is window start -> {key: entry} of the windows in memory; `dirty` is window start -> changed keys.

    As in Kafka Streams' window stores, time here is the largest window start ever put, and entries whose start is
    less than that minus the retention are gone. `slack` is 1 where a window at exactly that age is gone too. Windows
    start at multiples of `advance`.
    """

    def __init__(self, name: str, retention: int, slack: int = 1, advance: int = 1) -> None:
        super().__init__(name)
        self.retention = retention
        self.slack = slack
        self.advance = advance
        self.time = -1
        self.data: dict[int, Window] = {}
        self.dirty: dict[int, set[Key]] = {}
        self._starts: list[int] = []  # of windows in memory, ascending
        self._cold = -1  # windows that start later are wholly in memory
        self._weights: dict[int, int] = {}  # of windows in memory, the one changed last at the end
        self._weight = 0

    def open(self, start: int) -> Window:
        """The entries of a window that starts there, made now; older windows expire when this one moves time."""
        if start > self.time:
            self.time = start
            self._expire()
        window = self.data.get(start)
        if window is None:
            window = self.data[start] = self._recalled(start)
            insort(self._starts, start)
        return window

    def _recalled(self, start: int) -> Window:
        """An empty window, that knows whether the log has some of it."""
        backing = self.backing
        if backing is None or start > self._cold or backing.first(stamp(start), stamp(start + 1)) is None:
            return {}
        prefix, encode = stamp(start), backing.codec.encode
        return ColdWindow(lambda key: backing.get(prefix + encode(key)))

    def changes(self, start: int) -> set[Key]:
        """Where to note the changed keys of a window, until the next drain."""
        return self.dirty.setdefault(start, set())

    @property
    def _oldest(self) -> int:
        """The least start that retention has not passed."""
        return self.time - self.retention + self.slack

    def _expire(self) -> None:
        gone = bisect_left(self._starts, self._oldest)
        for start in self._starts[:gone]:
            del self.data[start]
            self.dirty.pop(start, None)
            self._weight -= self._weights.pop(start, 0)
        del self._starts[:gone]
        self._expired(self._oldest)

    # ---------------------------------------------------------------- looking

    def get(self, start: int, key: Key) -> Any:
        """The entry of a key in a window, or None."""
        window = self.data.get(start)
        if window is not None:
            return window.get(key)
        if self.backing is None or not self._oldest <= start <= self._cold:
            return None
        return self.backing.get(stamp(start) + self.backing.codec.encode(key))

    def _cold_windows(self, low: int, high: int) -> Iterator[tuple[int, Iterator[tuple[bytes, bytes]]]]:
        """(start, entries as bytes) of windows that start in [low, high] and are not wholly in memory."""
        low, high = max(low, self._oldest), min(high, self._cold)
        if self.backing is not None and low <= high:
            entries = self.backing.scan(stamp(low), stamp(high + 1))
            for start, group in groupby(entries, lambda entry: unstamp(entry[0])):
                if type(self.data.get(start)) is not dict:
                    yield start, group

    def _in_memory(self, low: int, high: int) -> deque[int]:
        """Starts of windows in memory in [low, high], ascending."""
        return deque(self._starts[bisect_left(self._starts, low) : bisect_right(self._starts, high)])

    def windows(self, low: int, high: int) -> Iterator[tuple[int, Window]]:
        """(start, entries) of windows that start in [low, high], ascending."""
        resident = self._in_memory(low, high)
        for start, entries in self._cold_windows(low, high):
            assert self.backing is not None
            codec = self.backing.codec
            while resident and resident[0] < start:
                yield resident[0], self.data[resident.popleft()]
            window = {codec.decode_key(key[8:]): codec.decode(value) for key, value in entries}
            if resident and resident[0] == start:
                window |= self.data[resident.popleft()]
            yield start, window
        for start in resident:
            yield start, self.data[start]

    def places(self, low: int, high: int) -> Iterator[tuple[int, Key]]:
        """(start, key) of all entries of windows that start in [low, high], by start; an entry at a time."""
        resident = self._in_memory(low, high)
        for start, entries in self._cold_windows(low, high):
            assert self.backing is not None
            decode_key = self.backing.codec.decode_key
            while resident and resident[0] < start:
                yield from ((resident[0], key) for key in self.data[resident[0]])
                resident.popleft()
            changed = self.data.get(start, {})
            for raw, _ in entries:
                if (key := decode_key(raw[8:])) not in changed:
                    yield start, key
        yield from ((start, key) for start in resident for key in self.data[start])

    def starts_of(self, key: Key, low: int, high: int) -> Iterator[int]:
        """Starts, in [low, high] and ascending, of the windows that have an entry of the key. Looking up the one just
        given reads nothing."""
        cold: Iterator[int] = iter(())
        if self.backing is not None:
            text = self.backing.codec.encode(key)
            found = self.backing.find(stamp(start) + text for start in self._cold_starts(low, high))
            cold = (unstamp(raw) for raw in found)
        warm = (start for start in self._in_memory(low, high) if key in self.data[start])
        return (start for start, _ in groupby(merge(warm, cold)))

    def _cold_starts(self, low: int, high: int) -> Iterator[int]:
        """Where windows may start, in [low, high], of which the log has entries."""
        assert self.backing is not None
        low, high = max(low, self._oldest), min(high, self._cold)
        found = self.backing.first(stamp(low), stamp(high + 1)) if low <= high else None
        if found is None:
            return
        at = -(-unstamp(found) // self.advance) * self.advance
        if (high - at) // self.advance < _MANY_STARTS:
            yield from range(at, high + 1, self.advance)
            return
        while at <= high:
            found = self.backing.first(stamp(at), stamp(high + 1))
            if found is None:
                return
            yield unstamp(found)
            at = unstamp(found) + 1

    def closed(self, low: int, high: int, order: Callable[[Key], bytes]) -> Iterator[tuple[int, Key, Any]]:
        """(start, key, entry) for windows that start in [low, high], by start, then by serialized key."""
        for start, window in self.windows(low, high):
            for key in sorted(window, key=order) if len(window) > 1 else list(window):
                yield start, key, window[key]

    # ---------------------------------------------------------------- keeping

    def _numbers(self) -> tuple[int, ...]:
        return (self.time,)

    def _resume(self, *numbers: int) -> None:
        (self.time,) = numbers
        self._cold = self.time

    def _take(self, entries: Iterable[tuple[bytes, bytes]], codec: Codec) -> None:
        for raw_key, raw in entries:
            start, key = codec.decode_key(raw_key)
            self.data.setdefault(start, {})[key] = codec.decode(raw)
            self.changes(start).add(key)
        self._starts = sorted(self.data)
        self.time = self._starts[-1]

    def _changes(self, codec: Codec) -> dict[bytes, bytes | None]:
        changed: dict[bytes, bytes | None] = {}
        encode, weights = codec.encode, self._weights
        for start, keys in self.dirty.items():
            window = self.data.get(start)
            if not window:
                continue
            prefix = stamp(start)
            entries = {prefix + encode(key): encode(dict.get(window, key)) for key in keys}
            changed.update(entries)
            size = sum(map(len, entries.values())) // (len(entries) * LARGE_ENTRY)
            weight = len(window) * (1 + size)
            self._weight += weight - weights.pop(start, 0)
            weights[start] = weight
        self.dirty.clear()
        return changed

    def settle(self) -> None:
        """Let the windows that were changed longest ago go while there is more in memory than there should be."""
        surplus = self._surplus(self._weight)
        if surplus <= 0:
            return
        for start in list(self._weights):
            if surplus <= 0:
                break
            weight = self._weights.pop(start)
            surplus -= weight
            self._weight -= weight
            del self.data[start]
            self._cold = max(self._cold, start)
        self._starts = sorted(self.data)
