"""Aggregates by window start, then key; whole windows leave when retention passes them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ksqlkit.engine.state.store import Codec, Key


class WindowStore:
    """`data` is window start -> {key: entry}; `dirty` is window start -> changed keys.

    As in Kafka Streams' window stores, time here is the largest window start ever put, and entries whose start is
    less than that minus the retention are gone. `slack` is 1 where a window at exactly that age is gone too.
    """

    def __init__(self, name: str, retention: int, slack: int = 1) -> None:
        self.name = name
        self.retention = retention
        self.slack = slack
        self.time = -1
        self.data: dict[int, dict[Key, Any]] = {}
        self.dirty: dict[int, set[Key]] = {}
        self._starts: list[int] = []  # of kept windows, ascending
        self._dropped: list[tuple[int, Key]] = []

    def open(self, start: int) -> dict[Key, Any]:
        """The entries of a window that starts there, made now; older windows expire when this one moves time."""
        if start > self.time:
            self.time = start
            self._expire()
        if start not in self.data:
            self.data[start] = {}
            insort(self._starts, start)
        return self.data[start]

    def changes(self, start: int) -> set[Key]:
        """Where to note the changed keys of a window, until the next drain."""
        return self.dirty.setdefault(start, set())

    def _expire(self) -> None:
        gone = bisect_left(self._starts, self.time - self.retention + self.slack)
        for start in self._starts[:gone]:
            self._dropped += [(start, key) for key in self.data.pop(start)]
            self.dirty.pop(start, None)
        del self._starts[:gone]

    def starts(self, low: int, high: int) -> list[int]:
        """Starts of kept windows in [low, high], ascending."""
        return self._starts[bisect_left(self._starts, low) : bisect_right(self._starts, high)]

    def closed(self, low: int, high: int, order: Callable[[Key], bytes]) -> Iterator[tuple[int, Key, Any]]:
        """(start, key, entry) for windows that start in [low, high], by start, then by serialized key."""
        for start in self.starts(low, high):
            window = self.data[start]
            for key in sorted(window, key=order) if len(window) > 1 else list(window):
                yield start, key, window[key]

    def restore(self, entries: Iterable[tuple[bytes, bytes]], codec: Codec) -> None:
        """Take back what earlier drains wrote."""
        for raw_key, raw in entries:
            start, key = codec.decode_key(raw_key)
            self.data.setdefault(start, {})[key] = codec.decode(raw)
        self._starts = sorted(self.data)
        self.time = max(self._starts, default=-1)

    def drain(self, codec: Codec) -> dict[bytes, bytes | None]:
        """What changed since the last drain."""
        changed: dict[bytes, bytes | None] = {}
        encode, data = codec.encode, self.data
        for place in self._dropped:
            changed[encode(place)] = None
        for start, keys in self.dirty.items():
            get = data.get(start, {}).get
            for key in keys:
                entry = get(key)
                changed[encode((start, key))] = None if entry is None else encode(entry)
        self._dropped.clear()
        self.dirty.clear()
        return changed
