"""What functions with memory know of their series, in a compacted topic beside the input, one partition for each.

Reads see the draft of the transaction under way, then what was committed. A transaction's changes go out with its
results; when it is aborted the draft is thrown away. A new owner of a partition reads the states from the topic.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from udf_server.memory.protocol import Space


class SeriesState:
    """The states of one input partition by "space\\0key"; None in the draft is a state that was forgotten."""

    def __init__(self, committed: Mapping[str, bytes] | None = None) -> None:
        self.committed: dict[str, bytes] = dict(committed or {})
        self.draft: dict[str, bytes | None] = {}

    def commit(self) -> None:
        """The transaction is through."""
        for name, value in self.draft.items():
            if value is None:
                self.committed.pop(name, None)
            else:
                self.committed[name] = value
        self.draft = {}

    def abort(self) -> None:
        """The transaction is not; late writers of it write into nothing."""
        self.draft = {}


class _Space:
    """The states of one function, over a draft of its own until the block ends."""

    def __init__(self, state: SeriesState, space: str) -> None:
        self._committed, self._draft = state.committed, state.draft
        self._prefix = space + "\0"
        self.changed: dict[str, bytes | None] = {}

    def get(self, key: str) -> bytes | None:
        name = self._prefix + key
        for changes in (self.changed, self._draft):
            if name in changes:
                return changes[name]
        return self._committed.get(name)

    def put(self, key: str, state: bytes) -> None:
        self.changed[self._prefix + key] = state

    def delete(self, key: str) -> None:
        self.changed[self._prefix + key] = None

    def keys(self) -> Iterator[str]:
        merged = {**self._committed, **self._draft, **self.changed}
        size = len(self._prefix)
        return iter([k[size:] for k, v in merged.items() if v is not None and k.startswith(self._prefix)])

    def keep(self) -> None:
        self._draft.update(self.changed)


class TopicMemory:
    """A `Memory` of the scoring service; `use` says whose states the rows that follow belong to."""

    def __init__(self) -> None:
        self._state = SeriesState()
        self._lock = threading.RLock()

    def use(self, state: SeriesState) -> None:
        """Rows scored from now on are of that partition."""
        with self._lock:
            self._state = state

    @contextmanager
    def transaction(self, space: str) -> Iterator[Space]:
        """The states of a function; what a block that raises wrote is gone."""
        with self._lock:
            found = _Space(self._state, space)
            yield found
            found.keep()

    def close(self) -> None:
        """Nothing to give up: states are in the topic."""
