"""Engine values as bytes: what state stores keep. Equal values of equal types give equal bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

_LONG: Final = struct.Struct(">cq")
_DOUBLE: Final = struct.Struct(">cd")
_SIZED: Final = struct.Struct(">cI")
_LONG_MIN, _LONG_MAX = -(1 << 63), (1 << 63) - 1


def encode_state(value: Any) -> bytes:
    """Bytes of None, bool, int (any size), float, str, bytes, Decimal, and lists, tuples and dicts of these.

    Dicts keep their order. Raises TypeError for anything else.
    """
    parts: list[bytes] = []
    _encode(value, parts.append)
    return b"".join(parts)


def decode_state(data: bytes) -> Any:
    """The value that `encode_state` made bytes of. Raises ValueError for bytes it did not make."""
    try:
        value, end = _decode(data, 0)
    except (struct.error, IndexError, UnicodeDecodeError, ArithmeticError) as error:
        raise ValueError(f"not an encoded value: {error}") from None
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes too many after an encoded value")
    return value


def _encode(value: Any, put: Callable[[bytes], None]) -> None:
    kind = type(value)
    if kind is int:
        if _LONG_MIN <= value <= _LONG_MAX:
            put(_LONG.pack(b"i", value))
        else:
            text = b"%d" % value
            put(_SIZED.pack(b"I", len(text)))
            put(text)
    elif kind is str:
        text = value.encode("utf-8", "surrogatepass")
        put(_SIZED.pack(b"s", len(text)))
        put(text)
    elif value is None:
        put(b"N")
    elif kind is float:
        put(_DOUBLE.pack(b"d", value))
    elif kind is tuple or kind is list:
        put(_SIZED.pack(b"t" if kind is tuple else b"l", len(value)))
        for item in value:
            _encode(item, put)
    elif kind is bool:
        put(b"T" if value else b"F")
    elif kind is bytes:
        put(_SIZED.pack(b"b", len(value)))
        put(value)
    elif kind is Decimal:
        text = str(value).encode()
        put(_SIZED.pack(b"D", len(text)))
        put(text)
    elif kind is dict:
        put(_SIZED.pack(b"m", len(value)))
        for key, item in value.items():
            _encode(key, put)
            _encode(item, put)
    else:
        raise TypeError(f"no encoding for a value of type {kind.__name__}")


def _decode(data: bytes, at: int) -> tuple[Any, int]:
    tag = data[at]
    if tag == 0x69:  # i
        return _LONG.unpack_from(data, at)[1], at + 9
    if tag == 0x64:  # d
        return _DOUBLE.unpack_from(data, at)[1], at + 9
    if tag == 0x4E:  # N
        return None, at + 1
    if tag == 0x54 or tag == 0x46:  # T F
        return tag == 0x54, at + 1
    size = _SIZED.unpack_from(data, at)[1]
    at += 5
    if tag == 0x74 or tag == 0x6C:  # t l
        items = []
        for _ in range(size):
            item, at = _decode(data, at)
            items.append(item)
        return (tuple(items) if tag == 0x74 else items), at
    if tag == 0x6D:  # m
        entries = {}
        for _ in range(size):
            key, at = _decode(data, at)
            entries[key], at = _decode(data, at)
        return entries, at
    end = at + size
    text = data[at:end]
    if len(text) != size:
        raise ValueError("an encoded value is cut off")
    if tag == 0x73:  # s
        return text.decode("utf-8", "surrogatepass"), end
    if tag == 0x62:  # b
        return text, end
    if tag == 0x49:  # I
        return int(text), end
    if tag == 0x44:  # D
        return Decimal(text.decode()), end
    raise ValueError(f"unknown tag {tag:#x} in an encoded value")
