"""JSON schemas as Kafka Connect reads them, and JSON values by such a schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from ksqlkit.engine.java_numbers import wrap_int, wrap_long
from ksqlkit.engine.serde import connect
from ksqlkit.engine.serde.connect import Adapter, Schema
from ksqlkit.engine.serde.java_map import hash_order
from ksqlkit.engine.serde.json_exact import MISSING
from ksqlkit.engine.serde.values import INT_MAX, parse_base64

UNION: Final = "io.confluent.connect.json.OneOf"
_INTEGERS: Final = ("int8", "int16", "int32", "int64")
_NUMBERS: Final = (*_INTEGERS, "float32", "float64", "bytes")
# What says of which type a schema is that names none.
_MARKS: Final = {
    "object": ("properties", "required", "additionalProperties", "patternProperties", "dependencies"),
    "array": ("items", "additionalItems", "minItems", "maxItems", "uniqueItems"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "string": ("minLength", "maxLength", "pattern", "format"),
}


def parse_schema(text: str) -> Schema:
    """The Connect schema of a JSON schema's text. Raises ValueError for what Connect cannot hold."""
    root = json.loads(text)
    try:
        return _Reader(root).read(root)
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a JSON schema: {error}") from None


class _Reader:
    def __init__(self, root: Any) -> None:
        self.root = root
        self.known: dict[int, Schema] = {}

    def read(self, node: Any) -> Schema:
        """The schema of a node, which may be one that contains itself."""
        if not isinstance(node, dict):
            raise ValueError("Unsupported schema type: a schema that takes anything")
        if id(node) in self.known:
            return self.known[id(node)]
        if "$ref" in node:
            return self.read(self.referred(node["$ref"]))
        if isinstance(node.get("type"), list):
            rest = {k: v for k, v in node.items() if k not in ("type", "connect.index")}
            return self.union([{**rest, "type": kind} for kind in node["type"]])
        parts = list(_parts(node))
        if len(parts) > 1:
            return self.all_of(parts)
        if "allOf" in node:
            return self.all_of(node["allOf"])
        if choices := node.get("oneOf") or node.get("anyOf"):
            return self.union(choices)
        return self.plain(node)

    def referred(self, reference: str) -> Any:
        found = self.root
        path, _, fragment = reference.partition("#")
        try:
            if path:
                raise KeyError(path)
            for part in fragment.split("/")[1:]:
                name = part.replace("~1", "/").replace("~0", "~")
                found = found[int(name)] if isinstance(found, list) else found[name]
        except (KeyError, IndexError, ValueError, TypeError):
            raise ValueError(f"the schema refers to {reference}, which it does not have") from None
        return found

    def union(self, choices: list[Any]) -> Schema:
        rest = [c for c in choices if not (isinstance(c, dict) and c.get("type") == "null")]
        optional = len(rest) < len(choices)
        if not rest:
            raise ValueError("Unsupported schema type: null")
        if len(rest) == 1:
            found = self.read(rest[0])
            return replace(found, optional=True) if optional else found
        fields = [
            (f"{UNION}.field.{i}", replace(self.read(choice), optional=True)) for i, choice in enumerate(rest)
        ]
        return Schema("struct", UNION, optional, fields=fields)

    def all_of(self, nodes: list[Any]) -> Schema:
        """Objects are joined; else the most telling of the parts counts."""
        resolved = [self.referred(n["$ref"]) if isinstance(n, dict) and "$ref" in n else n for n in nodes]
        properties: dict[str, Any] = {}
        self.collect(resolved, properties)
        if properties:
            return self.struct({"type": "object", "properties": properties}, list(properties.items()))
        for names in (("oneOf", "anyOf", "allOf"), ("type",)):
            for node in resolved:
                if isinstance(node, dict) and any(name in node for name in names):
                    return self.read(node)
        return self.read(resolved[0])

    def collect(self, nodes: list[Any], properties: dict[str, Any]) -> None:
        for node in nodes:
            if isinstance(node, dict):
                if "$ref" in node:
                    node = self.referred(node["$ref"])
                properties.update(hash_order(node.get("properties", {}), 16))
                self.collect(node.get("allOf", []), properties)

    def plain(self, node: dict[str, Any]) -> Schema:
        kind = node.get("type")
        if kind is None:
            kind = next((k for k, marks in _MARKS.items() if any(m in node for m in marks)), None)
        if kind is None and ("enum" in node or "const" in node):
            kind = "string"
        typed = node.get("connect.type")
        if kind == "object" and typed != "map":
            return self.struct(node, list(_ordered(node.get("properties", {}))))
        schema = Schema(self.type_name(kind, typed))
        self.describe(schema, node)
        if kind == "object":
            schema.type = "map"
            schema.items = [Schema("string"), self.read(node.get("additionalProperties"))]
        elif kind == "array":
            items = node.get("items")
            entry = items.get("properties", {}) if isinstance(items, dict) else {}
            if typed == "map" and {"key", "value"} <= entry.keys():
                schema.type = "map"
                schema.items = [self.read(entry["key"]), self.read(entry["value"])]
            else:
                schema.items = [self.read(items)]
        if "default" in node:
            schema.default = connect_value(schema, node["default"])
        return schema

    def type_name(self, kind: Any, typed: Any) -> str:
        if kind == "integer" or kind == "number":
            if typed is None:
                return "int64" if kind == "integer" else "float64"
            if typed in _NUMBERS:
                return str(typed)
            raise ValueError(f"Unsupported type {typed}")
        if kind == "string":
            return "bytes" if typed == "bytes" else "string"
        if kind in ("boolean", "array", "object"):
            return str(kind)
        raise ValueError(f"Unsupported schema type: {kind}")

    def describe(self, schema: Schema, node: dict[str, Any]) -> None:
        schema.name = str(node.get("title", ""))
        parameters = node.get("connect.parameters") or {}
        schema.precision = int(parameters.get("connect.decimal.precision", 64))
        schema.scale = int(parameters.get("scale", 0))

    def struct(self, node: dict[str, Any], properties: list[tuple[str, Any]]) -> Schema:
        schema = self.known[id(node)] = Schema("struct")
        self.describe(schema, node)
        schema.fields += [(name, self.read(child)) for name, child in properties]
        return schema


def _parts(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a schema with several kinds of rules is made of: all of them must hold."""
    combined = [k for k in node if k in ("allOf", "anyOf", "oneOf")]
    rest = {k: v for k, v in node.items() if k not in combined}
    if not combined or any(k in rest for k in ("type", "properties", "enum", "const", "items")):
        yield rest
    yield from ({k: node[k]} for k in combined)


def _ordered(properties: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The properties by connect.index, else in the order that Java's map has them."""
    places: dict[int, tuple[str, Any]] = {}
    for name, child in hash_order(properties, 16).items():
        index = child.get("connect.index") if isinstance(child, dict) else None
        places[len(places) if index is None else index] = name, child
    yield from (places[i] for i in sorted(places))


# ------------------------------------------------------------ values


def connect_value(schema: Schema, raw: Any) -> Any:
    """A raw JSON value (floats may be Decimals) as the data Connect has for one node. Raises ValueError."""
    return opener(schema)(raw)


def opener(schema: Schema) -> Adapter:
    """From a JSON value, or MISSING, to Connect's data by the schema: what has another type is 0, "" or null."""
    convert, default, optional = _conversion(schema), schema.default, schema.optional
    kind = schema.type.upper()

    def opened(raw: Any) -> Any:
        if raw is None or raw is MISSING:
            if default is None and raw is None and not optional:
                raise ValueError(f"Invalid null value for required {kind} field")
            return default
        return convert(raw)

    return opened


def _conversion(schema: Schema) -> Callable[[Any], Any]:
    logical = schema.name.removeprefix(connect.PREFIX) if schema.name.startswith(connect.PREFIX) else ""
    if logical in ("Date", "Time"):
        return lambda raw: _whole(raw, logical, INT_MAX)
    if logical == "Timestamp":
        return lambda raw: _whole(raw, logical, None)
    if schema.is_decimal:
        return lambda raw: _decimal(schema, raw)
    if schema.type == "struct":
        if schema.name == UNION:
            return lambda raw: _chosen(schema, raw)
        names = [name for name, _ in schema.fields]
        return lambda raw: _object(raw, names)
    if schema.type == "map":
        return _pairs if schema.items[0].type == "string" and not schema.items[0].optional else _entries
    return _CONVERSIONS[schema.type]


def _whole(raw: Any, logical: str, limit: int | None) -> int:
    if type(raw) is int and (limit is None or -limit - 1 <= raw <= limit):
        return raw
    raise ValueError(
        f"Invalid type for {logical}, underlying representation should be "
        f"{'integral' if limit is None else 'integer'} but was {_node(raw)}"
    )


def _decimal(schema: Schema, raw: Any) -> Decimal:
    if type(raw) in (int, Decimal):
        return Decimal(raw)
    if type(raw) is float:
        return Decimal(repr(raw))
    if type(raw) is str:
        return connect.unscaled(parse_base64(raw), schema.scale)
    raise ValueError(
        "Invalid type for Decimal, underlying representation should be numeric or bytes but was " + _node(raw)
    )


def _object(raw: Any, names: list[str]) -> dict[str, Any]:
    if type(raw) is not dict:
        raise ValueError(f"Structs should be encoded as JSON objects, but found {_node(raw)}")
    return {name: raw.get(name, MISSING) for name in names}


def _pairs(raw: Any) -> Any:
    if type(raw) is not dict:
        raise ValueError(f"Maps with string fields should be encoded as JSON objects, but found {_node(raw)}")
    return raw.items()


def _entries(raw: Any) -> Any:
    if type(raw) is not list:
        raise ValueError(
            f"Maps with non-string fields should be encoded as JSON array of objects, but found {_node(raw)}"
        )
    for entry in raw:
        if type(entry) is not dict or len(entry) != 2:
            raise ValueError(f"Found invalid map entry instead of object: {_node(entry)}")
    return [(entry.get("key", MISSING), entry.get("value", MISSING)) for entry in raw]


def _chosen(schema: Schema, raw: Any) -> dict[str, Any]:
    """The union's struct: the first simple type that the value has, else the object with the most names of it."""
    best, most = None, 0
    for name, child in schema.fields:
        if _is_of(child, raw):
            best = name
            break
        if (score := _matching(child, raw)) > most:
            best, most = name, score
    if best is None:
        raise ValueError("Did not find matching oneof field for data")
    return {name: raw if name == best else MISSING for name, _ in schema.fields}


def _is_of(schema: Schema, raw: Any) -> bool:
    kind = schema.type
    if kind in _INTEGERS:
        return type(raw) is int
    if kind in ("float32", "float64"):
        return type(raw) in (int, float, Decimal)
    if kind == "bytes":
        return type(raw) in (float, Decimal)
    wanted = {"boolean": bool, "string": str, "array": list, "map": dict | list}.get(kind)
    return wanted is not None and isinstance(raw, wanted)


def _matching(schema: Schema, raw: Any) -> int:
    if schema.type != "struct" or type(raw) is not dict:
        return 0
    children = dict(schema.fields)
    common = children.keys() & raw.keys()
    return len(common) + sum(_matching(children[name], raw[name]) for name in common)


def _number(raw: Any) -> Any:
    return raw if type(raw) in (int, float, Decimal) else 0


def _double(raw: Any) -> float:
    try:
        return float(_number(raw)) + 0.0
    except OverflowError:
        return float("inf") if raw > 0 else float("-inf")


def _bytes(raw: Any) -> bytes:
    if type(raw) is not str:
        raise ValueError("Invalid bytes field")
    return parse_base64(raw)


def _array(raw: Any) -> Any:
    return raw if type(raw) is list else list(raw.values()) if type(raw) is dict else []


_CONVERSIONS: Final[dict[str, Callable[[Any], Any]]] = {
    "boolean": lambda raw: raw is True,
    "int8": lambda raw: (wrap_int(int(_number(raw))) + 128) % 256 - 128,
    "int16": lambda raw: (wrap_int(int(_number(raw))) + 32768) % 65536 - 32768,
    "int32": lambda raw: wrap_int(int(_number(raw))),
    "int64": lambda raw: wrap_long(int(_number(raw))),
    "float32": _double,
    "float64": _double,
    "string": lambda raw: raw if type(raw) is str else None,
    "bytes": _bytes,
    "array": _array,
}


def _node(raw: Any) -> str:
    kinds = {
        bool: "BOOLEAN", int: "NUMBER", float: "NUMBER", Decimal: "NUMBER", str: "STRING", list: "ARRAY", dict: "OBJECT"
    }  # fmt: skip
    return kinds.get(type(raw), "MISSING")
