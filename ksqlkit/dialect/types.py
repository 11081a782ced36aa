"""SQL types as immutable data.

Values of a type inside the engine are plain Python: BOOLEAN bool, INTEGER/BIGINT int, DOUBLE float, DECIMAL
decimal.Decimal with exactly `scale` digits after the point, STRING str, BYTES bytes, TIME int
(milliseconds of the
day), DATE int (days since 1970-01-01), TIMESTAMP int (milliseconds since 1970-01-01 UTC), ARRAY list, MAP
dict, STRUCT dict with every field present in declared order. NULL is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Primitive:
    """A type without parameters; `name` is ksqlDB's canonical name."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Decimal:
    """DECIMAL(precision, scale)."""

    precision: int
    scale: int

    def __str__(self) -> str:
        return f"DECIMAL({self.precision}, {self.scale})"


@dataclass(frozen=True, slots=True)
class Array:
    """ARRAY<item>."""

    item: SqlType

    def __str__(self) -> str:
        return f"ARRAY<{self.item}>"


@dataclass(frozen=True, slots=True)
class Map:
    """MAP<key, value>."""

    key: SqlType
    value: SqlType

    def __str__(self) -> str:
        return f"MAP<{self.key}, {self.value}>"


@dataclass(frozen=True, slots=True)
class Struct:
    """STRUCT<name type, ...>; field names keep their case."""

    fields: tuple[tuple[str, SqlType], ...]

    def field(self, name: str) -> SqlType | None:
        """The type of a field, or None if there is no such field."""
        return next((t for n, t in self.fields if n == name), None)

    def __str__(self) -> str:
        return "STRUCT<" + (", ".join(f"`{n}` {t}" for n, t in self.fields) or " ") + ">"


@dataclass(frozen=True, slots=True)
class Named:
    """A type by the name given to it in CREATE TYPE; the catalog resolves it."""

    name: str

    def __str__(self) -> str:
        return f"`{self.name}`"


SqlType = Primitive | Decimal | Array | Map | Struct | Named

BOOLEAN: Final = Primitive("BOOLEAN")
INTEGER: Final = Primitive("INTEGER")
BIGINT: Final = Primitive("BIGINT")
DOUBLE: Final = Primitive("DOUBLE")
STRING: Final = Primitive("STRING")
BYTES: Final = Primitive("BYTES")
TIME: Final = Primitive("TIME")
DATE: Final = Primitive("DATE")
TIMESTAMP: Final = Primitive("TIMESTAMP")

NAMES: Final[dict[str, Primitive]] = {
    "BOOLEAN": BOOLEAN,
    "INTEGER": INTEGER,
    "INT": INTEGER,
    "BIGINT": BIGINT,
    "DOUBLE": DOUBLE,
    "STRING": STRING,
    "VARCHAR": STRING,
    "BYTES": BYTES,
    "TIME": TIME,
    "DATE": DATE,
    "TIMESTAMP": TIMESTAMP,
}


def is_numeric(t: SqlType | None) -> bool:
    """Whether arithmetic takes the type."""
    return isinstance(t, Decimal) or t in (INTEGER, BIGINT, DOUBLE)
