"""What exists: streams, tables, custom types, and who reads and writes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from ksqlkit.dialect.types import SqlType
from ksqlkit.engine.schema import Schema

Kind = Literal["STREAM", "TABLE"]


@dataclass(frozen=True, slots=True)
class Format:
    """A serialization format by name, with its options (DELIMITED: DELIMITER; schema names and ids).

    `wrap` says whether a single value column is wrapped in an object; None is the format's default.
    """

    name: str
    options: tuple[tuple[str, str], ...] = ()
    wrap: bool | None = None


@dataclass(frozen=True, slots=True)
class WindowInfo:
    """How a key is windowed; `size` is milliseconds, None for sessions."""

    type: Literal["TUMBLING", "HOPPING", "SESSION"]
    size: int | None = None


@dataclass(frozen=True, slots=True)
class DataSource:
    """A stream or a table, immutable; a change makes a new one."""

    name: str
    kind: Kind
    schema: Schema
    topic: str
    key_format: Format
    value_format: Format
    partitions: int = 1
    replicas: int = 1
    timestamp_column: str | None = None
    timestamp_format: str | None = None
    window: WindowInfo | None = None
    read_only: bool = False  # CREATE SOURCE STREAM|TABLE
    sql: str = ""
    query_id: str | None = None  # the persistent query that created it


@dataclass(slots=True)
class Catalog:
    """Name -> source and name -> type. Names are stored as ksqlDB resolves them; look-ups are exact."""

    sources: dict[str, DataSource] = field(default_factory=dict)
    types: dict[str, SqlType] = field(default_factory=dict)

    def get(self, name: str) -> DataSource | None:
        """The source of that name, or None."""
        return self.sources.get(name)

    def put(self, source: DataSource) -> None:
        """Add or replace."""
        self.sources[source.name] = source

    def remove(self, name: str) -> None:
        """Forget; the caller has checked that nothing reads it."""
        del self.sources[name]

    def __iter__(self) -> Iterator[DataSource]:
        return iter(self.sources.values())

    def copy(self) -> Catalog:
        """An independent copy, on which statements are tried before they run."""
        return Catalog(dict(self.sources), dict(self.types))
