"""Protocol Buffers' wire format: fields of a message to bytes and back, for messages known only at run
time."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

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

    `default` is the value of an absent field; None where absence can be told, as for messages.
    """

    wire: int
    default: Any
    write: Callable[[Any], bytes]
    read: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """A field. `repeated` fields hold lists (numbers packed); `entries` turns such a list into a map and
    back."""

    number: int
    name: str
    kind: Kind
    repeated: bool = False
    explicit: bool = False  # an absent value is null although the kind has a default


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


BOOL: Final = Kind(VARINT, False, lambda v: b"\x01" if v else b"\x00", bool)
INT32: Final = Kind(VARINT, 0, varint, _signed(32))
INT64: Final = Kind(VARINT, 0, varint, _signed(64))
DOUBLE: Final = Kind(FIXED64, 0.0, _DOUBLE.pack, lambda data: _DOUBLE.unpack(data)[0])
STRING: Final = Kind(
    SIZED, "", lambda v: v.encode("utf-8", "replace"), lambda data: data.decode("utf-8", "replace")
)
BYTES: Final = Kind(SIZED, b"", bytes, bytes)


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
