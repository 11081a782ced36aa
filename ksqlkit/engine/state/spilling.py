"""Stores of which memory holds only the hot entries: those that were committed and lie cold are read from the log.

Their keys on disk begin with eight bytes of time, so that what is of one time lies together: closed windows are read
as a range, and what retention passes is deleted as one. Entries that changed since the last commit are always in
memory, and go before what the log holds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from ksqlkit.engine.log.protocol import KeyRange, StateReader
from ksqlkit.engine.state.store import Codec, Key

HOT_ENTRIES: Final = 50_000  # of a query's store, over all partitions: some 15 MB
LARGE_ENTRY: Final = 256  # bytes: an entry counts once more for each of them
HEAD: Final = b""  # the key of a store's own numbers, before all others
FIRST: Final = b"\x00"  # before all other keys
_FIND_BATCH: Final = 256
_BIAS: Final = 1 << 63


def stamp(moment: int) -> bytes:
    """Eight bytes that are ordered as the milliseconds are."""
    return (moment + _BIAS).to_bytes(8, "big")


def unstamp(key: bytes) -> int:
    """The milliseconds that a key begins with."""
    return int.from_bytes(key[:8], "big") - _BIAS


def prefix_of(moment: int, key: bytes) -> bytes:
    """The beginning of keys of many entries of one key at about one time; no other key's entries begin so."""
    return stamp(moment) + len(key).to_bytes(4, "big") + key


def trim(rows: dict[Key, list[Any]], keys: Iterable[Key], last: int) -> int:
    """Drop the keys' tuples whose first item is a time up to `last`, from lists in order; how many went."""
    dropped = 0
    for key in keys:
        held = rows[key]
        if held[0][0] <= last:
            gone = bisect_left(held, (last + 1,))
            dropped += gone
            if gone == len(held):
                del rows[key]
            else:
                del held[:gone]
    return dropped


def segment_interval(retention: int) -> int:
    """How many milliseconds Kafka Streams keeps in one segment of a store."""
    return max(retention // 2, 60_000)


class Backing:
    """One store's committed entries. `hot` is how many of them may stay in memory as well."""

    def __init__(self, reader: StateReader, store: str, codec: Codec, hot: int) -> None:
        self.hot = hot
        self.codec = codec
        self._reader = reader
        self._store = store
        self._last: tuple[bytes, bytes] | None = None

    def get(self, key: bytes) -> Any:
        """An entry, or None; the one that `scan` or `find` stands at costs nothing."""
        last = self._last
        if last is not None and last[0] == key:
            value: bytes | None = last[1]
        else:
            value = self._reader.get_state(self._store, key)
        return None if value is None else self.codec.decode(value)

    @property
    def scanning(self) -> bool:
        """Whether somebody walks over the entries."""
        return self._last is not None

    def scan(self, low: bytes, high: bytes | None, batch: int = 64) -> Iterator[tuple[bytes, bytes]]:
        """Entries, still as bytes, with low <= key < high, in key order; `batch` is how many are read at first."""
        try:
            for entry in self._reader.scan_state(self._store, low, high, batch):
                self._last = entry
                yield entry
        finally:
            self._last = None

    def find(self, keys: Iterable[bytes]) -> Iterator[bytes]:
        """Those of the keys that there are entries of, in the same order."""
        wanted = iter(keys)
        try:
            while chunk := list(islice(wanted, _FIND_BATCH)):
                held = self._reader.get_states(self._store, chunk)
                for key in chunk:
                    if key in held:
                        self._last = (key, held[key])
                        yield key
        finally:
            self._last = None

    def first(self, low: bytes, high: bytes) -> bytes | None:
        """The first key with low <= key < high."""
        return next((key for key, _ in self._reader.scan_state(self._store, low, high, 1)), None)


class Backed(ABC):
    """A store over a backing; without one, everything stays in memory.

    `SHARE` is how many of the backing's hot entries are this kind of store's.
    """

    SHARE = 1.0

    def __init__(self, name: str) -> None:
        self.name = name
        self.backing: Backing | None = None

    @abstractmethod
    def attach(self, backing: Backing) -> None:
        """Go on from what earlier drains wrote."""

    @abstractmethod
    def drain(self, codec: Codec) -> dict[bytes, bytes | None]:
        """What changed since the last drain."""

    def cleared(self) -> KeyRange | None:
        """The range of keys that may go since the last call."""
        return None

    @abstractmethod
    def settle(self) -> None:
        """What was drained is committed: cold entries may leave memory."""

    def _surplus(self, count: int, size: int = 0) -> int:
        """How many of the entries in memory, of about `size` bytes, should leave: none while there are few."""
        if self.backing is None:
            return 0
        hot = int(self.backing.hot * self.SHARE) // (1 + size // LARGE_ENTRY)
        return count - hot * 3 // 4 if count > hot else 0


class SpillingStore(Backed):
    """What stores of windows, sessions and joined records have in common."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._head: tuple[int, ...] = ()
        self._bound: bytes | None = None

    def attach(self, backing: Backing) -> None:
        """Go on from what earlier drains wrote; nothing is read but the store's own numbers."""
        self.backing = backing
        head = backing.get(HEAD)
        if head is not None:
            self._head = tuple(head)
            self._resume(*head)
            return
        self._head = self._numbers()
        old = list(backing.scan(FIRST, None))
        if old:  # written before format version 2, with time elsewhere in the keys; the next commit writes them anew
            self._take(old, backing.codec)
            self._expired(0)

    def drain(self, codec: Codec) -> dict[bytes, bytes | None]:
        """What changed since the last drain."""
        changed = self._changes(codec)
        head = self._numbers()
        if head != self._head:
            self._head = head
            changed[HEAD] = codec.encode(head)
        return changed

    def cleared(self) -> KeyRange | None:
        """The range of keys that retention passed since the last call."""
        bound, self._bound = self._bound, None
        return None if bound is None else (FIRST, bound)

    def _expired(self, moment: int) -> None:
        """Note that the log may forget what is older."""
        self._bound = stamp(moment)

    @abstractmethod
    def _numbers(self) -> tuple[int, ...]:
        """The store's own numbers."""

    @abstractmethod
    def _resume(self, *numbers: int) -> None:
        """Take them back; all entries are on disk only."""

    @abstractmethod
    def _changes(self, codec: Codec) -> dict[bytes, bytes | None]:
        """Changed entries since the last call."""

    @abstractmethod
    def _take(self, entries: Iterable[tuple[bytes, bytes]], codec: Codec) -> None:
        """Hold entries of format version 1, all of them as changed ones."""
