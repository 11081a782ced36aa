"""Protocol Buffers' wire format: fields of a message to bytes and back, for messages known only at run
time."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ksqlkit.engine.serde.java_map import hash_order

VARINT, FIXED64, SIZED, FIXED32 = 0, 1, 2, 5
_DOUBLE: Final = struct.Struct("<d")
_LONG_BITS: Final = (1 << 64) - 1
_CUT_OFF: Final = (
    "While parsing a protocol message, the input ended unexpectedly in the middle of a field.  This could mean either "
    "that the input has been truncated or that an embedded message misreported its own length."
)


@dataclass(frozen=True, slots=True)
class Kind:
    """How one value of a field is written (without its tag and length) and read.

    `default` is the value of an absent field; None where absence can be told, as for messages. What follows it is for
    generated code: the name or the struct layout of a scalar, or a message's fields, and what its value is to them.
    """

    wire: int
    default: Any
    write: Callable[[Any], bytes]
    read: Callable[[Any], Any]
    code: str = ""
    layout: Layout | None = None
    split: Callable[[Any], Sequence[Any]] | None = None  # the value's columns
    join: Callable[[list[Any]], Any] | None = None  # the value of columns
    names: tuple[str, ...] | None = None  # of the columns, where the value is a dict of them


@dataclass(frozen=True, slots=True)
class Field:
    """A field. `repeated` fields hold lists (numbers packed); `entries` turns such a list into a map and
    back."""

    number: int
    name: str
    kind: Kind
    repeated: bool = False
    explicit: bool = False  # an absent value is null although the kind has a default


@dataclass(frozen=True, slots=True)
class Layout:
    """A message's fields, and the columns that they are read into."""

    fields: tuple[Field, ...]
    places: tuple[int | None, ...]  # of each column its field; None where it has none, and is null
    maps: frozenset[int] = frozenset()  # columns whose lists of pairs are maps
    unions: tuple[tuple[int, Kind, frozenset[int]], ...] = ()  # columns of a oneof, as a struct; its numbers

    def write(self, row: Sequence[Any]) -> bytes:
        """The message with the columns' values."""
        values = [
            list(value.items()) if i in self.maps and value is not None else value
            for i, value in enumerate(row)
            if self.places[i] is not None
        ]
        chosen = [kind.write(row[i]) for i, kind, _ in self.unions if row[i] is not None]
        return b"".join([write_message(self.fields, values), *chosen])

    def read(self, data: bytes) -> list[Any]:
        """The columns' values. Raises ValueError."""
        values = read_message(self.fields, data)
        row: list[Any] = [None if place is None else values[place] for place in self.places]
        for i, kind, numbers in self.unions:
            row[i] = kind.read(data) if numbers & split(data).keys() else None
        for i in self.maps:
            row[i] = hash_order(dict(row[i]), 16)
        return row


def message(layout: Layout, split: Callable[[Any], Sequence[Any]], join: Callable[[list[Any]], Any]) -> Kind:
    """A message; `split` and `join` go between its value and its columns."""
    return Kind(
        SIZED,
        None,
        lambda value: layout.write(split(value)),
        lambda data: join(layout.read(data)),
        layout=layout,
        split=split,
        join=join,
    )


def struct_message(layout: Layout, names: Sequence[str]) -> Kind:
    """A message whose value is a dict of its columns."""
    found = message(
        layout,
        lambda value: [value[name] for name in names],
        lambda row: dict(zip(names, row, strict=True)),
    )
    return replace(found, names=tuple(names))


def plain_layout(kinds: Sequence[Kind]) -> Layout:
    """Fields 1, 2, ... each a column of its own."""
    fields = tuple(Field(i, "", kind) for i, kind in enumerate(kinds, 1))
    return Layout(fields, tuple(range(len(fields))))


def varint(value: int) -> bytes:
    """An unsigned integer, seven bits a byte; negative ones as 64-bit two's complement."""
    value &= _LONG_BITS
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """(value, where it ends). Raises ValueError."""
    value = shift = 0
    while True:
        if at >= len(data):
            raise ValueError(_CUT_OFF)
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value & _LONG_BITS, at
        shift += 7
        if shift > 63:
            raise ValueError("CodedInputStream encountered a malformed varint.")


def _signed(bits: int) -> Callable[[int], int]:
    half, mask = 1 << bits - 1, (1 << bits) - 1
    return lambda value: ((value & mask) ^ half) - half


BOOL: Final = Kind(VARINT, False, lambda v: b"\x01" if v else b"\x00", bool, "bool")
INT32: Final = Kind(VARINT, 0, varint, _signed(32), "int32")
INT64: Final = Kind(VARINT, 0, varint, _signed(64), "int64")
DOUBLE: Final = Kind(FIXED64, 0.0, _DOUBLE.pack, lambda data: _DOUBLE.unpack(data)[0], "<d")
STRING: Final = Kind(
    SIZED, "", lambda v: v.encode("utf-8", "replace"), lambda data: data.decode("utf-8", "replace"), "string"
)
BYTES: Final = Kind(SIZED, b"", bytes, bytes, "bytes")


def write_message(fields: Sequence[Field], values: Sequence[Any]) -> bytes:
    """The message with these field values (parallel to `fields`); null and default values are left out."""
    parts: list[bytes] = []
    for field, value in zip(fields, values, strict=True):
        if value is None:
            continue
        kind = field.kind
        if field.repeated:
            if kind.default is None and None in value:
                raise ValueError(f"null in the repeated field {field.name}")
            written = [kind.write(kind.default if v is None else v) for v in value]
            if kind.wire != SIZED:
                if written:
                    parts += _sized(field.number, b"".join(written))
                continue
        else:
            written = [kind.write(value)]
            if not field.explicit and kind.default is not None and written[0] == kind.write(kind.default):
                continue
        for payload in written:
            if kind.wire == SIZED:
                parts += _sized(field.number, payload)
            else:
                parts += (varint(field.number << 3 | kind.wire), payload)
    return b"".join(parts)


def _sized(number: int, payload: bytes) -> tuple[bytes, bytes, bytes]:
    return varint(number << 3 | SIZED), varint(len(payload)), payload


def read_message(fields: Sequence[Field], data: bytes) -> list[Any]:
    """Field values, parallel to `fields`; unknown fields are skipped. Raises ValueError."""
    found = split(data)
    values: list[Any] = []
    for field in fields:
        kind = field.kind
        raws = found.get(field.number, [])
        if not field.repeated:
            raws = [pair for pair in raws if pair[0] == kind.wire]  # others count as unknown fields
        if field.repeated:
            values.append([kind.read(raw) for raw in unpacked(kind, raws)])
        elif raws:
            values.append(kind.read(raws[-1][1]))
        else:
            values.append(None if field.explicit else kind.default)
    return values


def split(data: bytes) -> dict[int, list[tuple[int, Any]]]:
    """Field number -> (wire type, raw value) in order."""
    found: dict[int, list[tuple[int, Any]]] = {}
    at, end = 0, len(data)
    while at < end:
        tag, at = read_varint(data, at)
        wire = tag & 7
        raw: Any
        if wire == VARINT:
            raw, at = read_varint(data, at)
        elif wire in (SIZED, FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
            if wire == SIZED:
                size, at = read_varint(data, at)
            raw, at = data[at : at + size], at + size
            if at > end:
                raise ValueError(_CUT_OFF)
        else:
            raise ValueError("Protocol message tag had invalid wire type.")
        if tag >> 3 == 0:
            raise ValueError("Protocol message contained an invalid tag (zero).")
        found.setdefault(tag >> 3, []).append((wire, raw))
    return found


def unpacked(kind: Kind, raws: list[tuple[int, Any]]) -> list[Any]:
    """Raw values of a repeated field, packed or not; those of another wire type count as unknown fields."""
    out: list[Any] = []
    for wire, raw in raws:
        if wire == kind.wire:
            out.append(raw)
        elif wire == SIZED and kind.wire == VARINT:
            at = 0
            while at < len(raw):
                value, at = read_varint(raw, at)
                out.append(value)
        elif wire == SIZED and kind.wire in (FIXED64, FIXED32):
            size = 8 if kind.wire == FIXED64 else 4
            out += [raw[i : i + size] for i in range(0, len(raw), size)]
    return out
