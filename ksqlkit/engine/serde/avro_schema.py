"""Avro schemas: parsed from JSON, made from SQL types as ksqlDB makes them, and read as SQL types."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.serde import connect

DEFAULT_NAME: Final = "io.confluent.ksql.avro_schemas.KsqlDataSourceSchema"
_PLAIN: Final[dict[T.SqlType, str]] = {
    T.BOOLEAN: "boolean",
    T.INTEGER: "int",
    T.BIGINT: "long",
    T.DOUBLE: "double",
    T.STRING: "string",
    T.BYTES: "bytes",
}
_LOGICAL: Final[dict[T.SqlType, tuple[str, str, str]]] = {
    T.TIME: ("int", "Time", "time-millis"),
    T.DATE: ("int", "Date", "date"),
    T.TIMESTAMP: ("long", "Timestamp", "timestamp-millis"),
}
_CONNECT_NAMES: Final = {(avro, logical): name for avro, name, logical in _LOGICAL.values()}


@dataclass(slots=True)
class Node:
    """A schema. `type` is Avro's: a primitive, record, enum, fixed, array, map or union."""

    type: str
    name: str = ""
    logical: str = ""
    precision: int = 64
    scale: int = 0
    size: int = 0
    symbols: tuple[str, ...] = ()
    fields: list[tuple[str, Node]] = field(default_factory=list)
    defaults: dict[str, Any] = field(default_factory=dict)  # of fields that have one, as in the schema's JSON
    items: list[Node] = field(default_factory=list)  # of an array or a map: one; of a union: its branches
    is_entry: bool = False  # Connect's way to write a map whose keys may be null

    @property
    def optional(self) -> Node | None:
        """Of a union of null and one other schema: that schema."""
        return self.single if len(self.items) > 1 else None

    @property
    def single(self) -> Node | None:
        """Of a union with one schema beside null, or with only that: that schema."""
        rest = [n for n in self.items if n.type != "null"]
        return rest[0] if self.type == "union" and len(rest) == 1 else None

    @property
    def branch(self) -> str:
        """The name of this branch of a union in Connect's struct of it."""
        return self.name.rpartition(".")[2] or self.type


def parse_schema(text: str) -> Node:
    """A schema from its JSON. Raises ValueError for text that is none."""
    try:
        return _parse(json.loads(text), {}, "")
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not an Avro schema: {error}") from None


def _parse(schema: Any, names: dict[str, Node], space: str) -> Node:
    if isinstance(schema, str):
        return names.get(schema) or names.get(f"{space}.{schema}") or _primitive(schema)
    if isinstance(schema, list):
        return Node("union", items=[_parse(s, names, space) for s in schema])
    kind = schema["type"]
    if isinstance(kind, dict | list):
        return _parse(kind, names, space)
    if kind == "array" or kind == "map":
        return Node(kind, items=[_parse(schema["items" if kind == "array" else "values"], names, space)])
    node = names.get(kind) or Node(kind, logical=schema.get("logicalType", ""))
    parameters = schema.get("connect.parameters", {})
    node.precision = int(parameters.get("connect.decimal.precision", schema.get("precision", 64)))
    node.scale = int(schema.get("scale", parameters.get("scale", 0)))
    if kind in ("record", "enum", "fixed", "error"):
        space = schema.get("namespace", space)
        node.name = schema["name"] if "." in schema["name"] or not space else f"{space}.{schema['name']}"
        space = node.name.rpartition(".")[0]
        names[node.name] = node
        node.size = int(schema.get("size", 0))
        if node.size < 0:
            raise ValueError(f"Invalid fixed size: {node.size}")
        node.symbols = tuple(schema.get("symbols", ()))
        node.is_entry = schema.get("connect.internal.type") == "MapEntry"
        node.fields = [(f["name"], _parse(f["type"], names, space)) for f in schema.get("fields", ())]
        node.defaults = {f["name"]: f["default"] for f in schema.get("fields", ()) if "default" in f}
        return node
    return node if node.logical else _primitive(kind)


def _primitive(name: str) -> Node:
    if name not in ("null", "boolean", "int", "long", "float", "double", "bytes", "string"):
        raise ValueError(f"unknown Avro type {name}")
    return Node(name)


def schema_of_row(
    columns: Sequence[tuple[str, T.SqlType]], name: str = DEFAULT_NAME, within: str = ""
) -> dict[str, Any]:
    """The record schema of columns, each of which may be null; the namespace `within` need not be named again."""
    space, _, short = name.rpartition(".")
    record: dict[str, Any] = {"type": "record", "name": short}
    if space and space != within:
        record["namespace"] = space
    record["fields"] = [
        {
            "name": n.replace(".", "_"),
            "type": ["null", schema_of_type(t, f"{name}_{n}", space)],
            "default": None,
        }
        for n, t in columns
    ]
    record["connect.name"] = name
    return record


def schema_of_type(kind: T.SqlType, name: str = DEFAULT_NAME, within: str = "") -> Any:
    """The schema of a value that is not null; `name` is for records in it, `within` the namespace around it."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind in _LOGICAL:
        avro, title, logical = _LOGICAL[kind]
        return {
            "type": avro,
            "connect.version": 1,
            "connect.name": connect.PREFIX + title,
            "logicalType": logical,
        }
    match kind:
        case T.Decimal(precision, scale):
            return {
                "type": "bytes",
                "scale": scale,
                "precision": precision,
                "connect.version": 1,
                "connect.parameters": {"scale": str(scale), "connect.decimal.precision": str(precision)},
                "connect.name": connect.PREFIX + "Decimal",
                "logicalType": "decimal",
            }
        case T.Array(item):
            return {"type": "array", "items": ["null", schema_of_type(item, name, within)]}
        case T.Map(key, value):
            space, _, short = name.rpartition(".")
            fields = [
                ("key", schema_of_type(key, f"{name}_MapKey", space)),
                ("value", schema_of_type(value, f"{name}_MapValue", space)),
            ]
            entry = {
                "type": "record",
                "name": short,
                **({"namespace": space} if space and space != within else {}),
                "fields": [{"name": n, "type": ["null", t], "default": None} for n, t in fields],
                "connect.internal.type": "MapEntry",
            }
            return {
                "type": "array",
                "items": entry,
                "connect.name": name,
                "connect.internal.type": "MapEntry",
            }
        case T.Struct(members):
            return schema_of_row(members, name, within)
    raise TypeError(f"no Avro form for type {kind}")


_FROM_AVRO: Final = {
    "int": "int32", "long": "int64", "float": "float32", "double": "float64", "fixed": "bytes", "enum": "string",
    "error": "struct", "record": "struct", "union": "struct",
}  # fmt: skip


def connect_schema(node: Node) -> connect.Schema:
    """The Connect schema of an Avro one: a union of several types is a struct of them. Raises ValueError."""
    return _connect(node, {})


def _connect(node: Node, known: dict[int, connect.Schema]) -> connect.Schema:
    if (inner := node.single) is not None:
        return replace(_connect(inner, known), optional=node.optional is not None)
    if node.type == "null":
        raise ValueError("Standalone null schemas are not supported by this converter")
    if (found := known.get(id(node))) is not None:
        return found
    known[id(node)] = schema = connect.Schema(_FROM_AVRO.get(node.type, node.type), source=node)
    if name := _CONNECT_NAMES.get((node.type, node.logical)):
        schema.name = connect.PREFIX + name
    if node.logical == "decimal" and schema.type == "bytes":
        schema.name, schema.precision, schema.scale = connect.PREFIX + "Decimal", node.precision, node.scale
    if node.type == "union":
        branches = [n for n in node.items if n.type != "null"]
        schema.fields += [(n.branch, replace(_connect(n, known), optional=True)) for n in branches]
        schema.optional = len(branches) < len(node.items)
    elif node.type == "array" and node.items[0].is_entry:
        schema.type = "map"
        schema.items = [_connect(child, known) for _, child in node.items[0].fields]
    elif node.type == "array":
        schema.items = [_connect(node.items[0], known)]
    elif node.type == "map":
        schema.items = [connect.Schema("string", source=Node("string")), _connect(node.items[0], known)]
    else:
        schema.fields += [(name, _connect(child, known)) for name, child in node.fields]
    return schema
