"""Which left rows of a foreign-key join wait for which right row."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, NamedTuple

from ksqlkit.engine.state.store import Codec, Key


class Subscription(NamedTuple):
    """A left row: its key, the task it lives in, and a digest of its value when it subscribed."""

    key: Key
    partition: int
    digest: bytes


def digest(row: Any) -> bytes:
    """A short stand-in for a row, equal for equal rows across restarts."""
    return blake2b(repr(row).encode(), digest_size=16).digest()


class SubscriptionStore:
    """Foreign key -> serialized left key -> subscription; `of` gives those of a key in byte order of the left keys."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._data: dict[Key, dict[bytes, Subscription]] = {}
        self._dirty: set[tuple[Key, bytes]] = set()

    def put(self, foreign: Key, left: bytes, subscription: Subscription | None) -> None:
        """Subscribe, or with None unsubscribe."""
        if subscription is not None:
            self._data.setdefault(foreign, {})[left] = subscription
        else:
            held = self._data.get(foreign, {})
            held.pop(left, None)
            if not held:
                self._data.pop(foreign, None)
        self._dirty.add((foreign, left))

    def of(self, foreign: Key) -> list[Subscription]:
        """Subscriptions to one right key."""
        return [s for _, s in sorted(self._data.get(foreign, {}).items())]

    def restore(self, entries: Iterable[tuple[bytes, bytes]], codec: Codec) -> None:
        """Take back what earlier drains wrote."""
        for raw_key, raw in entries:
            foreign, left = codec.decode_key(raw_key)
            self._data.setdefault(foreign, {})[left] = Subscription(*codec.decode(raw))

    def drain(self, codec: Codec) -> dict[bytes, bytes | None]:
        """What changed since the last drain."""
        changed: dict[bytes, bytes | None] = {}
        for place in self._dirty:
            held = self._data.get(place[0], {}).get(place[1])
            changed[codec.encode(place)] = None if held is None else codec.encode(tuple(held))
        self._dirty.clear()
        return changed
