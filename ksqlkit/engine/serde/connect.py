"""Kafka Connect's schemas, as which ksqlDB reads the schemas of AVRO and JSON_SR: their SQL types, and their values.

A format makes a Schema of its own kind of schema, and gives an opener for each node: a function from a raw value to
what Connect's data has there (a dict of raw values for a struct, pairs of raw values for a map); None where they are
the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.java_numbers import double_to_string, single_to_string
from ksqlkit.engine.serde.java_map import hash_order
from ksqlkit.engine.serde.values import fit_decimal

Adapter = Callable[[Any], Any]
Opener = Callable[["Schema"], Adapter | None]
PREFIX: Final = "org.apache.kafka.connect.data."
_INTEGERS: Final = ("int8", "int16", "int32", "int64")
_FLOATS: Final = ("float32", "float64")
# Connect's type of each SQL type, and the types whose values it takes.
_TAKES: Final[dict[T.SqlType, tuple[str, tuple[str, ...]]]] = {
    T.BOOLEAN: ("boolean", ("boolean",)),
    T.INTEGER: ("int32", _INTEGERS[:3]),
    T.BIGINT: ("int64", _INTEGERS),
    T.DOUBLE: ("float64", _FLOATS),
    T.STRING: ("string", (*_INTEGERS, *_FLOATS, "boolean", "string")),
    T.BYTES: ("bytes", ("bytes",)),
    T.TIME: ("int32", _INTEGERS[:3]),
    T.DATE: ("int32", _INTEGERS[:3]),
    T.TIMESTAMP: ("int64", _INTEGERS),
}
_SQL: Final[dict[str, T.SqlType]] = {
    "boolean": T.BOOLEAN, "int8": T.INTEGER, "int16": T.INTEGER, "int32": T.INTEGER, "int64": T.BIGINT,
    "float32": T.DOUBLE, "float64": T.DOUBLE, "string": T.STRING, "bytes": T.BYTES,
}  # fmt: skip
_LOGICAL: Final[dict[tuple[str, str], T.SqlType]] = {
    ("int32", PREFIX + "Time"): T.TIME,
    ("int32", PREFIX + "Date"): T.DATE,
    ("int64", PREFIX + "Timestamp"): T.TIMESTAMP,
}


@dataclass(slots=True)
class Schema:
    """A Connect schema. `type` is int8 ... float64, boolean, string, bytes, array, map or struct."""

    type: str
    name: str = ""
    optional: bool = False
    default: Any = None
    precision: int = 64  # of a decimal
    scale: int = 0
    fields: list[tuple[str, Schema]] = field(default_factory=list)  # of a struct
    items: list[Schema] = field(default_factory=list)  # of an array its item; of a map its key and value
    source: Any = None  # the format's own node

    @property
    def is_decimal(self) -> bool:
        """Whether the bytes are a Decimal's."""
        return self.type == "bytes" and self.name == PREFIX + "Decimal"


class Unsupported(ValueError):
    """A type that no column can have."""


def sql_type(schema: Schema, within: tuple[int, ...] = ()) -> T.SqlType:
    """The SQL type of a schema; fields of types that ksqlDB lacks are left out. Raises Unsupported."""
    if known := _LOGICAL.get((schema.type, schema.name)):
        return known
    if schema.is_decimal:
        return T.Decimal(schema.precision, schema.scale)
    if schema.type == "array":
        return T.Array(sql_type(schema.items[0], within))
    if schema.type == "map":
        if schema.items[0].type not in (*_INTEGERS, "boolean", "string"):
            raise Unsupported(f"Unsupported type for map key: {schema.items[0].type}")
        return T.Map(T.STRING, sql_type(schema.items[1], within))
    if schema.type == "struct":
        if id(schema.fields) in within:
            raise Unsupported("Unsupported type: a struct that contains itself")
        within = (*within, id(schema.fields))
        fields = []
        for name, child in schema.fields:
            try:
                fields.append((name, sql_type(child, within)))
            except Unsupported:
                continue
        return T.Struct(tuple(fields))
    return _SQL[schema.type]


def make_adapter(schema: Schema, kind: T.SqlType, opener: Opener, path: str = "") -> Adapter:
    """A function from a raw value to one of the SQL type; it raises ValueError where the schema does not fit.

    Names of fields are matched exactly, else in upper case, else with `_` for `.`; what the schema lacks is null.
    """
    convert = _converter(schema, kind, opener, path)
    if convert is None:
        text = mismatch(schema, kind, path)

        def refuse(_: Any) -> Any:
            raise ValueError(text)

        return refuse
    opened, last = opener(schema), convert
    if opened is None:
        return last if last is _same else lambda value: None if value is None else last(value)
    first = opened

    def adapt(raw: Any) -> Any:
        value = first(raw)
        return None if value is None else last(value)

    return adapt


def _same(value: Any) -> Any:
    return value


def mismatch(schema: Schema, kind: T.SqlType, path: str) -> str:
    """ksqlDB's words for a type that does not fit."""
    if isinstance(kind, T.Primitive):
        wanted = _TAKES[kind][0]
    else:
        wanted = "bytes" if isinstance(kind, T.Decimal) else type(kind).__name__.lower()
    return f"Cannot deserialize type {schema.type} as type {wanted} for path: {path}"


def _converter(schema: Schema, kind: T.SqlType, opener: Opener, path: str) -> Adapter | None:
    """From an opened value that is not null to one of the SQL type; None where the types do not fit."""
    match kind:
        case T.Decimal() if schema.is_decimal:
            return lambda v: fit_decimal(v, kind)
        case T.Array(element) if schema.type == "array":
            item = make_adapter(schema.items[0], element, opener, path + "->ARRAY")
            return lambda v: [item(e) for e in v]
        case T.Map(key, element) if schema.type == "map":
            name = make_adapter(schema.items[0], key, opener, path + "->MAP_KEY")
            item = make_adapter(schema.items[1], element, opener, path + "->MAP_VAL")
            return lambda v: hash_order({name(k): item(e) for k, e in v}, 16)
        case T.Struct(fields) if schema.type == "struct":
            return _struct_converter(schema, fields, opener, path)
        case T.Primitive() if takes(schema, kind):
            if kind == T.STRING and schema.type != "string":
                return single_to_string if schema.type == "float32" else text_of
            return float if kind == T.DOUBLE else _same
    return None


def takes(schema: Schema, kind: T.Primitive) -> bool:
    """Whether a column of the type can have the schema's values."""
    return schema.type in _TAKES[kind][1] and not schema.is_decimal


def match_fields(fields: Sequence[tuple[str, Any]], columns: Collection[str]) -> dict[str, int]:
    """Column -> place of the field it reads: the last that has its name exactly, in upper case, or with `_` for `.`."""
    dotted = {name.replace(".", "_"): name for name in columns if "." in name}  # as AVRO writes them
    found: dict[str, int] = {}
    for i, (name, _) in enumerate(fields):
        column = name if name in columns else name.upper() if name.upper() in columns else dotted.get(name)
        if column is not None:
            found[column] = i
    return found


def _struct_converter(
    schema: Schema, fields: Sequence[tuple[str, T.SqlType]], opener: Opener, path: str
) -> Adapter:
    kinds = dict(fields)
    parts: list[tuple[str, str, Adapter | None]] = []
    matched = match_fields(schema.fields, kinds)
    for column, kind in kinds.items():
        place = matched.get(column)
        name, child = ("", None) if place is None else schema.fields[place]
        adapt = None if child is None else make_adapter(child, kind, opener, f"{path}->{column}")
        parts.append((column, name, adapt))

    def convert(value: Any) -> Any:
        return {column: None if adapt is None else adapt(value[name]) for column, name, adapt in parts}

    return convert


def text_of(value: Any) -> str:
    """A boolean or a number as Java's String.valueOf writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return double_to_string(value) if isinstance(value, float) else str(value)


def unscaled(value: bytes, scale: int) -> Decimal:
    """The decimal of two's complement bytes."""
    return Decimal(int.from_bytes(value, "big", signed=True)).scaleb(-scale)
