"""Values of case files to bytes by a schema that the case registers, whatever columns are read of it."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

from ksqlkit.engine.serde import protobuf_wire as wire
from ksqlkit.engine.serde.avro_codec import make_encoder
from ksqlkit.engine.serde.avro_schema import Node, parse_schema
from ksqlkit.engine.serde.proto_schema import DECIMAL, LOGICAL, WRAPPERS, Message, ProtoField, parse_proto
from ksqlkit.engine.serde.protobuf import value_kind
from ksqlkit.engine.serde.protobuf_sr import SCALAR_KINDS, choose_message, index_path
from ksqlkit.engine.serde.registry import PREFIX, Registered
from tests.conformance.codec import dumps


def encode(entry: Registered, value: Any, name: str | None) -> bytes:
    """The record; `name` chooses a PROTOBUF schema's message. Raises ValueError for a value that does not fit."""
    prefix = PREFIX.pack(0, entry.id)
    if entry.kind == "JSON":
        return prefix + dumps(value)
    try:
        if entry.kind == "AVRO":
            node = parse_schema(entry.schema)
            return prefix + make_encoder(node)(_avro(node, value))
        root = parse_proto(entry.schema, entry.references)
        path = index_path(root, name) if name else [0]
        shown = b"\x00" if path == [0] else bytes(2 * i for i in (len(path), *path))
        return prefix + shown + _message(choose_message(root, path), value)
    except (TypeError, KeyError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"the case's value does not fit its schema: {error}") from None


def _avro(node: Node, value: Any) -> Any:
    if node.type == "union":
        if value is None:
            return None
        return _avro(next(n for n in node.items if n.type != "null"), value)
    if node.logical == "decimal":
        whole = int(Decimal(value).scaleb(node.scale))
        return whole.to_bytes(whole.bit_length() // 8 + 1, "big", signed=True)
    if node.type == "record" and isinstance(value, dict):
        given = {k.upper(): v for k, v in value.items()}
        return {
            name: _avro(child, given[name.upper()]) if name.upper() in given else node.defaults.get(name)
            for name, child in node.fields
        }
    if node.type == "array" and isinstance(value, dict):
        keys, values = (child for _, child in node.items[0].fields)
        return [{"key": _avro(keys, k), "value": _avro(values, v)} for k, v in value.items()]
    if node.type == "array":
        return [_avro(node.items[0], v) for v in value]
    if node.type == "map":
        return {k: _avro(node.items[0], v) for k, v in value.items()}
    if node.type in ("int", "long"):
        return int(value)
    if node.type in ("float", "double"):
        return float(value)
    if node.type in ("bytes", "fixed"):
        return base64.b64decode(value)
    return value if node.type == "boolean" else str(value)


def _message(message: Message, value: dict[str, Any]) -> bytes:
    given = {k.upper(): v for k, v in value.items()}
    found = []
    for field in message.fields:
        mine = given.get(field.name.upper())
        if mine is None and field.oneof:
            mine = next(
                (v[field.name] for k, v in value.items() if k.startswith(field.oneof) and field.name in v),
                None,
            )
        found.append((field, mine))
    return b"".join(_field(message, field, mine) for field, mine in found if mine is not None)


def _field(scope: Message, field: ProtoField, value: Any) -> bytes:
    if field.key:
        entry = Message("", scope, [ProtoField(1, "key", field.key), ProtoField(2, "value", field.type)])
        pairs = [_message(entry, {"key": k, "value": v}) for k, v in value.items()]
        return b"".join(_tagged(field.number, wire.SIZED, data) for data in pairs)
    values = value if field.label == "repeated" else [value]
    return b"".join(_tagged(field.number, *_value(scope, field, v)) for v in values)


def _value(scope: Message, field: ProtoField, value: Any) -> tuple[int, bytes]:
    name = field.type.lstrip(".")
    if (kind := SCALAR_KINDS.get(name)) is not None:
        if name in ("float", "double"):
            value = float(value)
        elif name == "bytes":
            value = base64.b64decode(value)
        elif name != "bool":
            value = str(value) if name == "string" else int(value)
        return kind.wire, kind.write(value)
    if name in WRAPPERS:
        inner = ProtoField(1, "value", WRAPPERS[name], "optional")
        return wire.SIZED, _field(scope, inner, value)
    if name in LOGICAL:
        return wire.SIZED, value_kind(LOGICAL[name]).write(value)
    if name == DECIMAL:
        raise ValueError("decimals are written by their columns")
    found = scope.find(name)
    if isinstance(found, Message):
        return wire.SIZED, _message(found, value)
    numbers = {symbol: number for number, symbol in (found or {}).items()}
    return wire.VARINT, wire.varint(numbers[value] if isinstance(value, str) else int(value))


def _tagged(number: int, kind: int, data: bytes) -> bytes:
    size = wire.varint(len(data)) if kind == wire.SIZED else b""
    return wire.varint(number << 3 | kind) + size + data
