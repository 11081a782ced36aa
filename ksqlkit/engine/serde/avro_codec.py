"""Avro's binary form: generic values (dicts, lists, numbers, text, bytes) to bytes and back by a schema."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

from ksqlkit.engine.serde.avro_schema import Node
from ksqlkit.engine.serde.protobuf_wire import read_varint, varint

Encoder = Callable[[Any], bytes]
Decoder = Callable[[bytes, int], tuple[Any, int]]
_MOST_EMPTY: Final = 1_000_000  # items without bytes, such as nulls
_FLOAT: Final = struct.Struct("<f")
_DOUBLE: Final = struct.Struct("<d")


def write_long(value: int) -> bytes:
    """A zigzag varint."""
    return varint(value << 1 ^ value >> 63)


def read_long(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag varint and where it ends."""
    raw, at = read_varint(data, at)
    return raw >> 1 ^ -(raw & 1), at


def _sized(value: bytes) -> bytes:
    return write_long(len(value)) + value


def _read_sized(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = read_long(data, at)
    end = at + size
    if size < 0 or end > len(data):
        raise ValueError("Malformed data. Length is negative or beyond the record")
    return data[at:end], end


def _read_text(data: bytes, at: int) -> tuple[str, int]:
    raw, at = _read_sized(data, at)
    return raw.decode("utf-8", "replace"), at


def _read_fixed(layout: struct.Struct) -> Decoder:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        if at + layout.size > len(data):
            raise ValueError("the record ends too early")
        return layout.unpack_from(data, at)[0], at + layout.size

    return read


def _read_boolean(data: bytes, at: int) -> tuple[bool, int]:
    if at >= len(data):
        raise ValueError("the record ends too early")
    return data[at] != 0, at + 1


_PRIMITIVES: Final[dict[str, tuple[Encoder, Decoder]]] = {
    "null": (lambda _: b"", lambda _, at: (None, at)),
    "boolean": (lambda value: b"\x01" if value else b"\x00", _read_boolean),
    "int": (write_long, read_long),
    "long": (write_long, read_long),
    "float": (_FLOAT.pack, _read_fixed(_FLOAT)),
    "double": (_DOUBLE.pack, _read_fixed(_DOUBLE)),
    "bytes": (_sized, _read_sized),
    "string": (lambda value: _sized(value.encode("utf-8", "replace")), _read_text),
}


def make_encoder(node: Node) -> Encoder:
    """A function from a generic value to bytes. Raises TypeError or ValueError for values that do not fit."""
    return _encoder(node, {})


def _encoder(node: Node, known: dict[int, list[tuple[str, Encoder]]]) -> Encoder:
    if node.type in _PRIMITIVES:
        return _PRIMITIVES[node.type][0]
    if node.type in ("record", "error"):
        fields = known.get(id(node))
        if fields is None:  # a record may contain itself
            fields = known[id(node)] = []
            fields += [(name, _encoder(child, known)) for name, child in node.fields]
        return lambda value: b"".join([encode(value[name]) for name, encode in fields])
    if node.type == "enum":
        codes = {symbol: write_long(i) for i, symbol in enumerate(node.symbols)}
        return lambda value: codes[value]
    if node.type == "fixed":
        return lambda value: b"" + value
    branches = [_encoder(child, known) for child in node.items]
    if node.type == "union":
        return _union_encoder(node, branches)
    item = branches[0]

    def blocks(parts: list[bytes]) -> bytes:
        return (write_long(len(parts)) if parts else b"") + b"".join(parts) + b"\x00"

    if node.type == "array":
        return lambda value: blocks([item(v) for v in value])
    return lambda value: blocks([_sized(k.encode()) + item(v) for k, v in value.items()])


def _union_encoder(node: Node, branches: list[Encoder]) -> Encoder:
    """Null goes to null, anything else to the only other branch, or to the first that takes it."""
    null = next((i for i, child in enumerate(node.items) if child.type == "null"), None)
    others = [(write_long(i), encode) for i, encode in enumerate(branches) if i != null]
    absent = None if null is None else write_long(null)

    def encode(value: Any) -> bytes:
        if value is None and absent is not None:
            return absent
        for tag, write in others:
            try:
                return tag + write(value)
            except (TypeError, ValueError, AttributeError, KeyError, struct.error):
                if len(others) == 1:
                    raise
        raise TypeError(f"no branch of the union takes {value!r}")

    return encode


def make_decoder(node: Node, *, tagged: bool = False) -> Decoder:
    """A function from data and a position to a generic value and the position after it. Raises ValueError.

    The value of a union of several types that are not null is a pair, of the branch's name and the value, if `tagged`.
    """
    return _decoder(node, tagged, {})


def _decoder(node: Node, tagged: bool, known: dict[int, list[tuple[str, Decoder]]]) -> Decoder:
    if node.type in _PRIMITIVES:
        return _PRIMITIVES[node.type][1]
    if node.type in ("record", "error"):
        fields = known.get(id(node))
        if fields is None:
            fields = known[id(node)] = []
            fields += [(name, _decoder(child, tagged, known)) for name, child in node.fields]

        def read_record(data: bytes, at: int) -> tuple[Any, int]:
            values = {}
            for name, decode in fields:
                values[name], at = decode(data, at)
            return values, at

        return read_record
    if node.type == "enum":
        return lambda data, at: _choose(node.symbols, data, at)
    if node.type == "fixed":

        def read_fixed(data: bytes, at: int) -> tuple[Any, int]:
            end = at + node.size
            if end > len(data):
                raise ValueError("the record ends too early")
            return data[at:end], end

        return read_fixed
    branches = [_decoder(child, tagged, known) for child in node.items]
    if node.type == "union":
        if tagged and node.single is None:
            branches = [_tagged(child, branch) for child, branch in zip(node.items, branches, strict=True)]

        def read_union(data: bytes, at: int) -> tuple[Any, int]:
            decode, at = _choose(branches, data, at)
            value: tuple[Any, int] = decode(data, at)
            return value

        return read_union
    item = branches[0]
    is_map = node.type == "map"

    def read_blocks(data: bytes, at: int) -> tuple[Any, int]:
        entries: list[Any] = []
        while True:
            count, at = read_long(data, at)
            if count == 0:
                return (dict(entries) if is_map else entries), at
            if count < 0:
                count, (_, at) = -count, read_long(data, at)
            if count > len(data) + _MOST_EMPTY:
                raise ValueError(f"Cannot read collections of {count} items")
            for _ in range(count):
                key = None
                if is_map:
                    key, at = _read_text(data, at)
                value, at = item(data, at)
                entries.append((key, value) if is_map else value)

    return read_blocks


def _tagged(node: Node, decode: Decoder) -> Decoder:
    if node.type == "null":
        return decode

    def read(data: bytes, at: int) -> tuple[Any, int]:
        value, at = decode(data, at)
        return (node.branch, value), at

    return read


def _choose(options: Any, data: bytes, at: int) -> tuple[Any, int]:
    index, at = read_long(data, at)
    if not 0 <= index < len(options):
        raise ValueError(f"index {index} beyond {len(options)} options")
    return options[index], at
