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
    """A serialization format by name, with its options: DELIMITER (as written in WITH), SCHEMA_FULL_NAME,
    SCHEMA_ID, NULLABLE_REPRESENTATION.

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
    """Name -> source and name -> type. Names are stored as ksqlDB resolves them; look-ups are exact.

    `references` has, for each source that a query made, the sources it reads: those cannot be dropped.
    """

    sources: dict[str, DataSource] = field(default_factory=dict)
    types: dict[str, SqlType] = field(default_factory=dict)
    references: dict[str, frozenset[str]] = field(default_factory=dict)

    def get(self, name: str) -> DataSource | None:
        """The source of that name, or None."""
        return self.sources.get(name)

    def put(self, source: DataSource, reads: frozenset[str] | None = None) -> None:
        """Add or replace; `reads` adds to what it is built from."""
        self.sources[source.name] = source
        if reads:
            self.references[source.name] = self.references.get(source.name, frozenset()) | reads

    def remove(self, name: str) -> None:
        """Forget; the caller has checked that nothing reads it."""
        del self.sources[name]
        self.references.pop(name, None)

    def readers(self, name: str) -> list[str]:
        """Sources built from that one, sorted."""
        return sorted(n for n, reads in self.references.items() if name in reads and n != name)

    def alternatives(self, name: str, kind: Kind | None = None) -> str:
        """ksqlDB's "Did you mean" for a name that differs in case only; empty where there is none."""
        found = [s for s in self if s.name.upper() == name.upper() and kind in (None, s.kind)]
        found.sort(key=lambda s: s.name)
        if not found:
            return ""
        if len(found) == 1:
            only = found[0].name
            if only != only.upper():
                fix = f'"{only}"? Hint: wrap the source name in double quotes to make it case-sensitive.'
            else:
                fix = f"{only}? Hint: try removing double quotes from the source name."
            return f"\nDid you mean {fix}"
        names = [f'"{s.name}" ({s.kind})' for s in found]
        listed = f"{', '.join(names[:-1])}{',' if len(names) > 2 else ''} or {names[-1]}"
        hint = "Hint: wrap the source name in double quotes to make it case-sensitive."
        return f"\nDid you mean {listed}? {hint}"

    def __iter__(self) -> Iterator[DataSource]:
        return iter(self.sources.values())

    def copy(self) -> Catalog:
        """An independent copy, on which statements are tried before they run."""
        return Catalog(dict(self.sources), dict(self.types), dict(self.references))
