"""States in this process only: for tests, and for a server that is told to forget at the end."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

LIMIT: Final = 100_000


class _Space:
    def __init__(self, states: OrderedDict[str, bytes]) -> None:
        self.states = states

    def get(self, key: str) -> bytes | None:
        return self.states.get(key)

    def put(self, key: str, state: bytes) -> None:
        self.states[key] = state
        self.states.move_to_end(key)

    def delete(self, key: str) -> None:
        self.states.pop(key, None)

    def keys(self) -> Iterator[str]:
        return iter(list(self.states))


class LocalMemory:
    """A `Memory` of dictionaries; `limit` keys a space."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._spaces: dict[str, OrderedDict[str, bytes]] = {}
        self._lock = threading.RLock()

    @contextmanager
    def transaction(self, space: str) -> Iterator[_Space]:
        """The states of a space; what was written is kept only when the block ends well."""
        with self._lock:
            draft = _Space(self._spaces.get(space, OrderedDict()).copy())
            yield draft
            while len(draft.states) > self._limit:
                draft.states.popitem(last=False)
            self._spaces[space] = draft.states

    def close(self) -> None:
        """Nothing to give up."""
