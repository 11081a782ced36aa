"""The PROTOBUF format: magic byte, schema id, message index, and the message by the schema of that id."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any, Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.java_numbers import double_to_string
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde import connect, protobuf, protobuf_read
from ksqlkit.engine.serde import protobuf_wire as wire
from ksqlkit.engine.serde.avro_codec import read_long, write_long
from ksqlkit.engine.serde.errors import SerdeError
from ksqlkit.engine.serde.proto_schema import (
    DECIMAL,
    DEFAULT_NAME,
    LOGICAL,
    SCALARS,
    WRAPPERS,
    Message,
    ProtoField,
    parse_proto,
    write_proto,
)
from ksqlkit.engine.serde.protobuf_wire import Field, Kind, Layout
from ksqlkit.engine.serde.registry import PREFIX, SchemaRegistry, by_prefix, split_prefix, subject_name


def _fixed(code: str, size: int) -> Kind:
    layout = struct.Struct("<" + code)
    return Kind(
        wire.FIXED64 if size == 8 else wire.FIXED32, layout.unpack(bytes(size))[0], layout.pack,
        lambda data: layout.unpack(data)[0], "<" + code,
    )  # fmt: skip


_ZIGZAG: Final = Kind(
    wire.VARINT, 0, lambda v: wire.varint(v << 1 ^ v >> 63), lambda raw: raw >> 1 ^ -(raw & 1), "zigzag"
)
SCALAR_KINDS: Final[dict[str, Kind]] = {
    "double": wire.DOUBLE,
    "float": _fixed("f", 4),
    "int32": wire.INT32,
    "int64": wire.INT64,
    "uint32": Kind(wire.VARINT, 0, wire.varint, lambda raw: raw & 0xFFFFFFFF, "uint32"),
    "uint64": wire.INT64,
    "sint32": _ZIGZAG,
    "sint64": _ZIGZAG,
    "fixed32": _fixed("I", 4),
    "fixed64": _fixed("q", 8),
    "sfixed32": _fixed("i", 4),
    "sfixed64": _fixed("q", 8),
    "bool": wire.BOOL,
    "string": wire.STRING,
    "bytes": wire.BYTES,
}
_SHORT: Final = PREFIX.size + 1  # the prefix and the one byte that says the schema's first message
_NUMBERS: Final = (T.INTEGER, T.BIGINT, T.DOUBLE, T.BOOLEAN)


_CONNECT: Final[dict[T.SqlType, str]] = {
    T.BOOLEAN: "boolean", T.INTEGER: "int32", T.BIGINT: "int64", T.DOUBLE: "float64", T.STRING: "string",
    T.BYTES: "bytes",
}  # fmt: skip


def _mismatch(scope: Message, name: str, kind: T.SqlType, path: str) -> ValueError:
    """The error for a .proto type, or "array" or "map", that is read as another type."""
    scalar = SCALARS.get(WRAPPERS.get(name, name))
    if scalar is not None:
        name = "float32" if name in ("float", "google.protobuf.FloatValue") else _CONNECT[scalar]
    elif name == DECIMAL:
        name = "bytes"
    elif name in LOGICAL:
        name = "int64" if LOGICAL[name] == T.TIMESTAMP else "int32"
    elif name not in ("array", "map"):
        name = "struct" if isinstance(scope.find(name), Message) else "string"
    return ValueError(connect.mismatch(connect.Schema(name), kind, path))


def _converted(kind: Kind, convert: Callable[[Any], Any]) -> Kind:
    return Kind(
        kind.wire,
        None if kind.default is None else convert(kind.default),
        kind.write,
        lambda raw: convert(kind.read(raw)),
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return double_to_string(value) if isinstance(value, float) else str(value)


def _symbol(name: str, symbols: dict[int, str], number: int) -> str:
    return symbols.get(number) or f"UNKNOWN_ENUM_VALUE_{name.rpartition('.')[2]}_{number}"


def _value_kind(scope: Message, name: str, kind: T.SqlType, path: str) -> Kind:
    """How one value of the .proto type `name` reads as the SQL type. Raises ValueError where it does not."""
    if (scalar := SCALARS.get(name)) is not None:
        if scalar == kind or (scalar, kind) == (T.INTEGER, T.BIGINT):
            return SCALAR_KINDS[name]
        if kind == T.STRING and scalar in _NUMBERS:
            return _converted(SCALAR_KINDS[name], _text)
    elif (name := name.lstrip(".")) in WRAPPERS:
        inner = _value_kind(scope, WRAPPERS[name], kind, path)
        return wire.message(wire.plain_layout([inner]), lambda value: [value], itemgetter(0))
    elif LOGICAL.get(name) == kind or (name == DECIMAL and isinstance(kind, T.Decimal)):
        return protobuf.value_kind(kind)
    else:
        found = scope.find(name)
        if isinstance(found, dict) and kind == T.STRING:
            symbols, numbers = found, {symbol: number for number, symbol in found.items()}
            return Kind(
                wire.VARINT,
                symbols.get(0, "0"),
                lambda symbol: wire.varint(numbers[symbol]),
                lambda raw: _symbol(name, symbols, wire.INT32.read(raw)),
            )
        if isinstance(found, Message) and isinstance(kind, T.Struct):
            return wire.struct_message(message_layout(found, kind.fields, path), [n for n, _ in kind.fields])
        if isinstance(found, Message) and isinstance(kind, T.Array) and len(found.fields) == 1:
            layout = message_layout(found, [(found.fields[0].name, kind)], path)
            return wire.message(layout, lambda value: [value], itemgetter(0))
    raise _mismatch(scope, name, kind, path)


def _entry_kind(scope: Message, source: ProtoField, kind: T.Map, path: str) -> Kind:
    """How an entry of a map, or of a list of key-value messages, is written and read as a pair."""
    types = [source.key, source.type]
    if not source.key:
        found = scope.find(source.type)
        if not isinstance(found, Message) or [f.name for f in found.fields] != ["key", "value"]:
            raise _mismatch(scope, "array" if source.label == "repeated" else source.type, kind, path)
        scope, types = found, [f.type for f in found.fields]
    key = _value_kind(scope, types[0], kind.key, path + "->MAP_KEY")
    value = _value_kind(scope, types[1], kind.value, path + "->MAP_VAL")
    return wire.message(wire.plain_layout([key, value]), tuple, tuple)


def message_layout(message: Message, columns: Sequence[tuple[str, T.SqlType]], path: str) -> Layout:
    """The columns in a message; those that it lacks are null. Raises ValueError where types do not fit."""
    exact = {f.name: f for f in message.columns}
    upper = {f.name.upper(): f for f in message.columns}
    fields: list[Field] = []
    places: list[int | None] = []
    maps: set[int] = set()
    unions: list[tuple[int, Kind, frozenset[int]]] = []
    for name, kind in columns:
        source = exact.get(name) or upper.get(name)
        if source is None or source.members:
            if source is not None:
                unions.append((len(places), *_union(message, source, kind, f"{path}->{name}")))
            places.append(None)
            continue
        places.append(len(fields))
        inside = f"{path}->{name}"
        repeated = source.label == "repeated" or bool(source.key)
        if isinstance(kind, T.Map):
            maps.add(len(places) - 1)
            found = _entry_kind(message, source, kind, inside)
        elif repeated:
            if not isinstance(kind, T.Array):
                raise _mismatch(message, "map" if source.key else "array", kind, inside)
            found = _value_kind(message, source.type, kind.item, inside + "->ARRAY")
        else:
            found = _value_kind(message, source.type, kind, inside)
        fields.append(Field(source.number, name, found, repeated, source.label == "optional"))

    return Layout(tuple(fields), tuple(places), frozenset(maps), tuple(unions))


def _union(scope: Message, source: ProtoField, kind: T.SqlType, path: str) -> tuple[Kind, frozenset[int]]:
    """How the members of a oneof, which are fields of the message itself, read as a struct of which one has a value."""
    if not isinstance(kind, T.Struct):
        raise _mismatch(scope, "struct", kind, path)
    inner = Message("", scope, [replace(f, label="optional", oneof="") for f in source.members])
    found = wire.struct_message(message_layout(inner, kind.fields, path), [name for name, _ in kind.fields])
    return found, frozenset(f.number for f in source.members)


def infer_struct(message: Message, within: tuple[str, ...] = ()) -> T.Struct:
    """The SQL type of a message, without fields in which it would contain itself. Raises ValueError."""
    fields: list[tuple[str, T.SqlType]] = []
    within = (*within, message.path)
    for source in message.columns:
        if source.members:
            members = Message("", message, [replace(f, oneof="") for f in source.members])
            fields.append((source.name, infer_struct(members, within)))
            continue
        inner = message.find(source.type.lstrip("."))
        if isinstance(inner, Message) and inner.path in within:
            continue
        kind = _infer(message, source, within)
        if source.key:
            kind = T.Map(T.STRING, kind)
        elif source.label == "repeated":
            kind = T.Array(kind)
        fields.append((source.name, kind))
    return T.Struct(tuple(fields))


def _infer(scope: Message, source: ProtoField, within: tuple[str, ...]) -> T.SqlType:
    name = source.type.lstrip(".")
    if name == DECIMAL:
        options = dict(source.options)
        return T.Decimal(int(options.get("precision", 64)), int(options.get("scale", 0)))
    known = SCALARS.get(WRAPPERS.get(name, name)) or LOGICAL.get(name)
    if known is not None:
        return known
    found = scope.find(name)
    if isinstance(found, Message):
        return infer_struct(found, within)
    if found is None:
        raise ValueError(f"unknown type {source.type}")
    return T.STRING


def split_indexes(payload: bytes) -> tuple[list[int], bytes]:
    """(which message of the schema, outermost first; the message's bytes). Raises ValueError."""
    count, at = read_long(payload, 0)
    indexes = []
    for _ in range(count):
        index, at = read_long(payload, at)
        indexes.append(index)
    return indexes or [0], payload[at:]


def index_path(root: Message, name: str) -> list[int]:
    """The indexes of the message of that name. Raises ValueError."""
    found = root.find(name)
    path = list[int]()
    while isinstance(found, Message) and found.parent is not None:
        path.insert(0, list(found.parent.messages.values()).index(found))
        found = found.parent
    if not path:
        raise ValueError(f"the schema has no message {name}")
    return path


def choose_message(root: Message, indexes: Sequence[int]) -> Message:
    """The message at the indexes. Raises ValueError."""
    for index in indexes:
        nested = list(root.messages.values())
        if not 0 <= index < len(nested):
            raise ValueError(f"the schema has no message {index}")
        root = nested[index]
    return root


def make_reader(
    columns: Sequence[Column], *, registry: SchemaRegistry, topic: str
) -> Callable[[bytes | None], tuple[Any, ...] | None]:
    """A reader of records written by any schema of the registry."""
    fields = [(c.name, c.type) for c in columns]

    def learn(number: int, indexes: Sequence[int], at: int) -> protobuf_read.Reader:
        entry = registry.by_id(number)
        if entry is None:
            raise ValueError(f"Error retrieving Protobuf value schema for id {number}")
        message = choose_message(parse_proto(entry.schema, entry.references), indexes)
        layout = message_layout(message, fields, "")
        return protobuf_read.make_reader(layout, at, protobuf.plain_reader(layout, topic))

    def failed(error: Exception) -> SerdeError:
        return SerdeError(f"Error deserializing message from topic: {topic}", (str(error),))

    def learn_prefix(data: bytes) -> Callable[[bytes], tuple[Any, ...] | None]:
        try:
            number, payload = split_prefix(data)
            if payload[:1] == b"\x00":
                return learn(number, [0], _SHORT)
        except (ValueError, OverflowError, RecursionError, struct.error) as error:
            raise failed(error) from None
        known: dict[tuple[int, ...], protobuf_read.Reader] = {}

        def read(data: bytes) -> tuple[Any, ...]:
            try:
                indexes, rest = split_indexes(data[PREFIX.size :])
                at = len(data) - len(rest)
                found = known.get(tuple(indexes))
                if found is None:
                    found = known[tuple(indexes)] = learn(number, indexes, at)
            except (ValueError, OverflowError, RecursionError, struct.error) as error:
                raise failed(error) from None
            return found(data, at)

        return read

    return by_prefix(learn_prefix, _SHORT)


def make_writer(
    columns: Sequence[Column],
    *,
    nullable: str,
    name: str | None,
    registry: SchemaRegistry,
    topic: str,
    is_key: bool,
    number: int | None = None,
) -> Callable[[Sequence[Any] | None], bytes | None]:
    """A writer of records: by the schema of that number (its message of that name, or its first one), or by the
    columns' one, which it registers under the topic's subject."""
    if number is not None and (given := registry.by_id(number)) is not None:
        root = parse_proto(given.schema, given.references)
        path = index_path(root, name) if name else [0]
        layout = message_layout(choose_message(root, path), [(c.name, c.type) for c in columns], "")
        shown = b"\x00" if path == [0] else b"".join(write_long(i) for i in (len(path), *path))
        return protobuf.framed(PREFIX.pack(0, given.id) + shown, layout, topic)
    text = write_proto([(c.name, c.type) for c in columns], nullable=nullable, name=name or DEFAULT_NAME)
    entry = registry.register(subject_name(topic, is_key=is_key), "PROTOBUF", text)
    prefix = PREFIX.pack(0, entry.id) + b"\x00"
    layout = protobuf.make_layout([(c.name, c.type) for c in columns], nullable)
    return protobuf.framed(prefix, layout, topic)
