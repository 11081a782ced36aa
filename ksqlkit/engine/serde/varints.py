"""Varints for generated code: what one byte cannot say. The plain forms are in protobuf_wire and avro_codec."""

from __future__ import annotations

from struct import Struct
from typing import Final

from ksqlkit.engine.serde.protobuf_wire import read_varint, varint

_TWO: Final = Struct("2B").pack
_THREE: Final = Struct("3B").pack
_FOUR: Final = Struct("4B").pack
_FIVE: Final = Struct("5B").pack
_SIX: Final = Struct("6B").pack


def rest(data: bytes, at: int, first: int) -> tuple[int, int]:
    """(value, where it ends) of a varint whose first byte, 128 or more, lies before `at`.

    Raises IndexError or ValueError.
    """
    a = data[at]
    if a < 128:
        return first - 128 + (a << 7), at + 1
    b = data[at + 1]
    if b < 128:
        return first - 16512 + (a << 7) + (b << 14), at + 2
    c = data[at + 2]
    if c < 128:
        return first - 2113664 + (a << 7) + (b << 14) + (c << 21), at + 3
    d = data[at + 3]
    if d < 128:
        return first - 270549120 + (a << 7) + (b << 14) + (c << 21) + (d << 28), at + 4
    e = data[at + 4]
    if e < 128:
        return first - 34630287488 + (a << 7) + (b << 14) + (c << 21) + (d << 28) + (e << 35), at + 5
    return read_varint(data, at - 1)


def rest_of_size(data: bytes, at: int, first: int) -> tuple[int, int]:
    """The same of a zigzag size, still doubled. Raises ValueError for a negative one too."""
    size, at = rest(data, at, first) if first > 127 else (first, at)
    if size & 1:
        raise ValueError("a negative size")
    return size, at


def write_unsigned(z: int) -> bytes:
    """The varint of an integer; negative ones as 64-bit two's complement."""
    if 0 <= z < 1 << 42:
        if z < 1 << 14:
            return _TWO(z & 127 | 128, z >> 7) if z > 127 else _ONE[z]
        if z < 1 << 21:
            return _THREE(z & 127 | 128, z >> 7 & 127 | 128, z >> 14)
        if z < 1 << 28:
            return _FOUR(z & 127 | 128, z >> 7 & 127 | 128, z >> 14 & 127 | 128, z >> 21)
        a, b, c = z & 127 | 128, z >> 7 & 127 | 128, z >> 14 & 127 | 128
        if z < 1 << 35:
            return _FIVE(a, b, c, z >> 21 & 127 | 128, z >> 28)
        return _SIX(a, b, c, z >> 21 & 127 | 128, z >> 28 & 127 | 128, z >> 35)
    return varint(z)


_ONE: Final = tuple(bytes([i]) for i in range(128))


def write_signed(value: int) -> bytes:
    """The varint of an integer. Raises ValueError for one that 64 bits do not hold."""
    if not -1 << 63 <= value < 1 << 63:
        raise ValueError("more than 64 bits")
    return write_unsigned(value)


def write_zigzag(value: int) -> bytes:
    """The zigzag varint of a long."""
    return write_unsigned(value << 1 ^ value >> 63)


def small_zigzags(tag: bytes) -> tuple[bytes, ...]:
    """`tag` and the zigzag varint, of -64 to 63: negative numbers index from the end."""
    return tuple(tag + bytes([i]) for i in (*range(0, 128, 2), *range(1, 128, 2)[::-1]))


def sizes(tag: bytes) -> tuple[bytes, ...]:
    """`tag` and the zigzag varint, of 0 to 255."""
    return tuple(tag + write_zigzag(i) for i in range(256))
