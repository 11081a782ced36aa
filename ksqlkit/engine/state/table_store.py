"""Tables: an entry for each key. Of large ones, memory holds the keys that were in use last."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from ksqlkit.engine.state.spilling import Backed, Backing
from ksqlkit.engine.state.store import Codec, Key


class Rows(dict[Key, Any]):
    """The entries of a table that fits in memory."""


class ColdRows(Rows):
    """Those entries of a table that are in memory; others are looked up in the log."""

    store: TableStore

    def get(self, key: Key, default: Any = None) -> Any:
        """The key's entry, wherever it is."""
        found = super().get(key)
        if found is None:
            found = self.store.recall(key)
        return default if found is None else found


class TableStore(Backed):
    """Key -> entry. The operators own `data` and note each changed key in `dirty`."""

    SHARE = 4.0  # keys of a table have no order of time: those that are not in memory cost a look-up when they come

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.data = Rows()
        self.dirty: set[Key] = set()
        self._size = 0

    def put(self, key: Key, entry: Any) -> None:
        """Set, or delete with None."""
        if entry is None:
            self.data.pop(key, None)
        else:
            self.data[key] = entry
        self.dirty.add(key)

    def places(self) -> Iterator[Key]:
        """All keys; nothing may change on the way. Looking up the one just given reads nothing."""
        if self.backing is not None and isinstance(self.data, ColdRows):
            decode_key = self.backing.codec.decode_key
            for raw, _ in self.backing.scan(b"", None):
                key = decode_key(raw)
                if key not in self.data and key not in self.dirty:
                    yield key
        yield from list(self.data)

    def recall(self, key: Key) -> Any:
        """The entry of a key that is not in memory; it stays there, unless it only passes by."""
        assert self.backing is not None
        if key in self.dirty:
            return None  # deleted since the last commit
        entry = self.backing.get(self.backing.codec.encode(key))
        if (
            entry is not None
            and not self.backing.scanning
            and len(self.data) < 2 * self.SHARE * self.backing.hot
        ):
            self.data[key] = entry
        return entry

    def attach(self, backing: Backing) -> None:
        """Go on from what earlier drains wrote."""
        self.backing = backing
        decode_key, decode = backing.codec.decode_key, backing.codec.decode
        for raw_key, raw in backing.scan(b"", None):
            if len(self.data) >= backing.hot * self.SHARE:
                self._chill()
                break
            self.data[decode_key(raw_key)] = decode(raw)

    def _chill(self) -> None:
        """From now on `data` is not all there is. It stays the same object, to which generated code holds on."""
        self.data.__class__ = ColdRows
        self.data.store = self  # type: ignore[attr-defined]

    def drain(self, codec: Codec) -> dict[bytes, bytes | None]:
        """What changed since the last drain."""
        if not self.dirty:
            return {}
        encode, get = codec.encode, super(Rows, self.data).get
        changed: dict[bytes, bytes | None] = {}
        size = 0
        for key in self.dirty:
            entry = get(key)
            if entry is None:
                changed[encode(key)] = None
            else:
                value = changed[encode(key)] = encode(entry)
                size += len(value)
        self._size = size // len(self.dirty)
        self.dirty.clear()
        return changed

    def settle(self) -> None:
        """Let the keys go that came into memory first while there are more than there should be."""
        surplus = self._surplus(len(self.data), self._size)
        if surplus > 0:
            self._chill()
            for key in list(islice(self.data, surplus)):
                del self.data[key]
