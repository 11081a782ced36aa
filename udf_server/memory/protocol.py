"""The seam: where states are kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol


class Space(Protocol):
    """The states of one function, inside a transaction."""

    def get(self, key: str) -> bytes | None:
        """The state of a key, or None."""

    def put(self, key: str, state: bytes) -> None:
        """Keep a state; it becomes the most recently used."""

    def delete(self, key: str) -> None:
        """Forget a key; one that is not there is no error."""

    def keys(self) -> Iterator[str]:
        """All keys, the least recently used first."""


class Memory(Protocol):
    """Keeps states. Thread-safe: one transaction at a time."""

    def transaction(self, space: str) -> AbstractContextManager[Space]:
        """The states of a space, alone with them until the block ends. A block that raises leaves no trace."""

    def close(self) -> None:
        """Give up what is open; states stay."""
