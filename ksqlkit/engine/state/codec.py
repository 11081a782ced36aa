"""State as bytes, the fast way: JSON where that is exact, the log's own codec where it is not.

Keys are scalars or tuples of them (see state.keys). Entries are tuples, the first item of which may be a tuple (a
packed row). Other tuples do not occur, so lists come back as lists.
"""

from __future__ import annotations

from typing import Any

import orjson

from ksqlkit.engine.log.codec import decode_state, encode_state
from ksqlkit.engine.state.store import Codec

_PLAIN, _ROW = b"\x00", b"\x01"  # encode_state's bytes start with a letter


def encode(value: Any) -> bytes:
    """Bytes of a key or an entry."""
    try:
        data = orjson.dumps(value)
    except TypeError:
        return encode_state(value)
    if b"null" in data:  # NULL, but NaN and infinities too
        return encode_state(value)
    return (_ROW if type(value) is tuple and value and type(value[0]) is tuple else _PLAIN) + data


def decode_entry(data: bytes) -> Any:
    """The entry that `encode` made bytes of."""
    kind = data[:1]
    if kind not in (_PLAIN, _ROW):
        return decode_state(data)
    value = orjson.loads(data[1:])
    if type(value) is not list:
        return value
    if kind == _ROW:
        value[0] = tuple(value[0])
    return tuple(value)


def decode_key(data: bytes) -> Any:
    """The key that `encode` made bytes of; all its lists are tuples."""
    if data[:1] not in (_PLAIN, _ROW):
        return decode_state(data)
    return _frozen(orjson.loads(data[1:]))


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in value) if type(value) is list else value


CODEC = Codec(encode, decode_key, decode_entry)
