"""The schema of a stream, a table or an intermediate result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ksqlkit.dialect import types as T


@dataclass(frozen=True, slots=True)
class Column:
    """A named, typed column. `header` is None, or the header key it reads ('' for all headers)."""

    name: str
    type: T.SqlType
    header: str | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """Key columns and value columns, in order. Header columns are among the value columns. `names` is the order of a
    declaration, for descriptions."""

    key: tuple[Column, ...]
    value: tuple[Column, ...]
    names: tuple[str, ...] = field(default=(), compare=False)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Key columns, then value columns."""
        return self.key + self.value

    @property
    def declared(self) -> tuple[Column, ...]:
        """All columns as they were declared, those added later at the end."""
        places = {name: i for i, name in enumerate(self.names)}
        return tuple(sorted(self.columns, key=lambda c: places.get(c.name, len(places))))

    @property
    def headers_last(self) -> tuple[Column, ...]:
        """The value columns as queries see them: header columns after the others."""
        return tuple(sorted(self.value, key=lambda c: c.header is not None))

    def find(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((c for c in self.columns if c.name == name), None)

    def describe(self, *, table: bool = False, keys: bool = True) -> str:
        """As ksqlDB prints it: "`ID` BIGINT KEY, `V` STRING"; PRIMARY KEY for tables, no marks with
        keys=False."""
        mark = (" PRIMARY KEY" if table else " KEY") if keys else ""
        parts = [f"`{c.name}` {c.type}{mark}" for c in self.key]
        for c in self.value:
            suffix = "" if c.header is None else (f" HEADER('{c.header}')" if c.header else " HEADERS")
            parts.append(f"`{c.name}` {c.type}{suffix}")
        return ", ".join(parts)


# Columns every source has without declaring them; the first is the record's timestamp.
PSEUDO: Final = {"ROWTIME": T.BIGINT, "ROWPARTITION": T.INTEGER, "ROWOFFSET": T.BIGINT}
# Columns of windowed sources and results: bounds in milliseconds, start inclusive, end exclusive.
WINDOW_BOUNDS: Final = {"WINDOWSTART": T.BIGINT, "WINDOWEND": T.BIGINT}
