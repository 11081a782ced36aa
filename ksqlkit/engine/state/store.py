"""Stores: state that lives in dicts and is written to the log as changed entries only.

Every store has a name that is unique in its query and partition, takes its entries back with `restore` (or, those that
may be large, is attached to the log: see state.spilling), and hands over what changed since the last call with `drain`,
as bytes -> bytes (None deletes). Keys and values go through `Codec`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

Key = Any  # a hashable Python value: see state.keys


class Codec(NamedTuple):
    """How keys and values become bytes and come back."""

    encode: Callable[[Any], bytes]
    decode_key: Callable[[bytes], Any]
    decode: Callable[[bytes], Any]


class Store(Protocol):
    """What the runtime asks of any store."""

    name: str

    def restore(self, entries: Iterable[tuple[bytes, bytes]], codec: Codec) -> None:
        """Take back what earlier drains wrote."""

    def drain(self, codec: Codec) -> dict[bytes, bytes | None]:
        """What changed since the last drain."""


class Scalars:
    """A few numbers of an operator, such as its stream time; `values` is indexed by the generated code."""

    def __init__(self, name: str, *values: Any) -> None:
        self.name = name
        self.values: list[Any] = list(values)
        self._written = list(values)

    def restore(self, entries: Iterable[tuple[bytes, bytes]], codec: Codec) -> None:
        """Take back what earlier drains wrote."""
        for _, value in entries:
            self.values[:] = codec.decode(value)
        self._written = list(self.values)

    def drain(self, codec: Codec) -> dict[bytes, bytes | None]:
        """What changed since the last drain."""
        if self.values == self._written:
            return {}
        self._written = list(self.values)
        return {b"": codec.encode(tuple(self.values))}
