"""Records of registered formats as PRINT shows them: by the schema whose id they carry."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import orjson

from ksqlkit.engine.java_numbers import double_to_string, single_to_string
from ksqlkit.engine.serde import protobuf_wire as wire
from ksqlkit.engine.serde.avro_codec import make_decoder
from ksqlkit.engine.serde.avro_schema import Node, parse_schema
from ksqlkit.engine.serde.proto_schema import Message, ProtoField, parse_proto
from ksqlkit.engine.serde.protobuf_sr import SCALAR_KINDS, choose_message, split_indexes
from ksqlkit.engine.serde.registry import Registered, SchemaRegistry, split_prefix

Decode = Callable[[bytes], str]
# Messages that schemas import.
_IMPORTED: Final = """
message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }
message Date { int32 year = 1; int32 month = 2; int32 day = 3; }
message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }
message Timestamp { int64 seconds = 1; int32 nanos = 2; }
message StringValue { string value = 1; }
message BytesValue { bytes value = 1; }
message BoolValue { bool value = 1; }
message Int32Value { int32 value = 1; }
message Int64Value { int64 value = 1; }
message FloatValue { float value = 1; }
message DoubleValue { double value = 1; }
"""
_AVRO_ESCAPES: Final = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}
_AVRO_ESCAPED: Final = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u2000-\u20ff]')
_PROTO_ESCAPES: Final = dict(zip(b"\a\b\f\n\r\t\v\\'\"", ("\\" + c for c in "abfnrtv\\'\""), strict=True))


def readers(registry: SchemaRegistry) -> tuple[tuple[str, Decode], ...]:
    """AVRO, PROTOBUF and JSON_SR as (name, text of a record); these raise ValueError for what is none."""

    def reader(kind: str, show: Callable[[Registered, bytes], str]) -> Decode:
        def read(data: bytes) -> str:
            number, payload = split_prefix(data)
            entry = registry.by_id(number)
            if entry is None or entry.kind != kind:
                raise ValueError(f"no {kind} schema {number}")
            return show(entry, payload)

        return read

    return (
        ("AVRO", reader("AVRO", _avro)),
        ("PROTOBUF", reader("PROTOBUF", _protobuf)),
        ("JSON_SR", reader("JSON", _json)),
    )


def _json(_: Registered, payload: bytes) -> str:
    orjson.loads(payload)
    return payload.decode()


# ------------------------------------------------------------ AVRO


@lru_cache(maxsize=256)
def _decoder(schema: str) -> tuple[Node, Callable[[bytes, int], tuple[Any, int]]]:
    node = parse_schema(schema)
    return node, make_decoder(node, tagged=True)


def _avro(entry: Registered, payload: bytes) -> str:
    node, decode = _decoder(entry.schema)
    value, end = decode(payload, 0)
    if end != len(payload):
        raise ValueError("more bytes than the schema has fields")
    return _avro_text(node, value)


def _avro_text(node: Node, value: Any) -> str:
    """As Avro's generic records print themselves: JSON, with bytes as characters."""
    if value is None:
        return "null"
    match node.type:
        case "union":
            if node.single is not None:
                return _avro_text(node.single, value)
            branch, value = value
            return _avro_text(next(child for child in node.items if child.branch == branch), value)
        case "record" | "error":
            texts = (f"{_quoted(name)}: {_avro_text(child, value[name])}" for name, child in node.fields)
            return "{" + ", ".join(texts) + "}"
        case "map":
            texts = (f"{_quoted(k)}: {_avro_text(node.items[0], v)}" for k, v in value.items())
            return "{" + ", ".join(texts) + "}"
        case "array":
            return "[" + ", ".join(_avro_text(node.items[0], v) for v in value) + "]"
        case "float" | "double":
            text = single_to_string(value) if node.type == "float" else double_to_string(value)
            return text if value - value == 0 else f'"{text}"'
    match value:
        case bool():
            return "true" if value else "false"
        case bytes():
            return _quoted(value.decode("latin-1"))
        case str():
            return _quoted(value)
    return str(value)


def _quoted(text: str) -> str:
    return '"' + _AVRO_ESCAPED.sub(lambda m: _AVRO_ESCAPES.get(m[0], f"\\u{ord(m[0]):04X}"), text) + '"'


# ------------------------------------------------------------ PROTOBUF


@lru_cache(maxsize=256)
def _root(schema: str, references: tuple[str, ...]) -> Message:
    return parse_proto(schema, (*references, _IMPORTED))


def _protobuf(entry: Registered, payload: bytes) -> str:
    indexes, payload = split_indexes(payload)
    message = choose_message(_root(entry.schema, entry.references), indexes)
    return " ".join(_fields(message, payload))


def _fields(message: Message, data: bytes) -> Iterator[str]:
    """`name: value` for each value that is there, by field number, as protobuf's text form on one line."""
    found = wire.split(data)
    for field in sorted(message.fields, key=lambda f: f.number):
        for text in _values(message, field, found.get(field.number, [])):
            yield f"{field.name}{text}"


def _values(scope: Message, field: ProtoField, raws: list[tuple[int, Any]]) -> Iterator[str]:
    repeated = field.label == "repeated"
    kind = SCALAR_KINDS.get(field.type)
    if field.key:  # map<,>
        entry = Message("Entry", scope)
        entry.fields = [ProtoField(1, "key", field.key), ProtoField(2, "value", field.type)]
        yield from (_nested(entry, raw) for _, raw in raws)
    elif kind is not None:
        values: Sequence[Any] = [kind.read(raw) for raw in wire.unpacked(kind, raws)]
        single = field.type == "float"
        yield from (f": {_scalar(v, single=single)}" for v in (values if repeated else values[-1:]))
    else:
        target = scope.find(field.type)
        if isinstance(target, Message):
            yield from (_nested(target, raw) for _, raw in (raws if repeated else raws[-1:]))
        elif target is not None:
            numbers = [wire.INT32.read(raw) for raw in wire.unpacked(wire.INT32, raws)]
            yield from (f": {target.get(n, n)}" for n in (numbers if repeated else numbers[-1:]))


def _nested(message: Message, raw: Any) -> str:
    if not isinstance(raw, bytes):
        raise ValueError("Protocol message tag had invalid wire type.")
    return " { " + "".join(f"{text} " for text in _fields(message, raw)) + "}"


def _scalar(value: Any, *, single: bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return single_to_string(value) if single else double_to_string(value)
    if isinstance(value, str | bytes):
        data = value.encode() if isinstance(value, str) else value
        shown = (_PROTO_ESCAPES.get(b) or (chr(b) if 32 <= b < 127 else f"\\{b:03o}") for b in data)
        return '"' + "".join(shown) + '"'
    return str(value)
