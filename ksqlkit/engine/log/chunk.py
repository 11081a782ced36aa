"""Consecutive records of one partition packed into one blob: column by column, so that thousands go in one
step.

Layout, little-endian: magic, flags, record count; then, each only where its flag says so: offsets (8 bytes
each, when they have gaps), timestamps (8 bytes), key lengths and value lengths (4 bytes, -1 for null), keys,
values, and headers as encoded by the state codec.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import accumulate, pairwise
from typing import Final

from ksqlkit.engine.log.codec import decode_state, encode_state
from ksqlkit.engine.log.protocol import Headers, Record

_HEAD: Final = struct.Struct("<BBI")
_MAGIC: Final = 1
_SPARSE, _KEYS, _HEADERS = 1, 2, 4
_make_record: Final = partial(tuple.__new__, Record)


class Chunk:
    """Records as columns. `offsets` is a range, or an array where compaction left gaps; never empty."""

    __slots__ = ("headers", "keys", "offsets", "timestamps", "values")

    def __init__(
        self,
        offsets: Sequence[int],
        timestamps: Sequence[int],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        headers: Sequence[Headers],
    ) -> None:
        self.offsets = offsets
        self.timestamps = timestamps
        self.keys = keys
        self.values = values
        self.headers = headers

    @classmethod
    def of(cls, records: Sequence[Record]) -> Chunk:
        """Pack records that are in offset order."""
        offsets, timestamps, keys, values, headers = zip(*records, strict=True)
        first, last = offsets[0], offsets[-1]
        dense = last - first + 1 == len(offsets)
        return cls(range(first, last + 1) if dense else offsets, timestamps, keys, values, headers)

    @property
    def size(self) -> int:
        """Bytes of keys and values."""
        return _total(self.keys) + _total(self.values)

    def records(self, offset: int = 0, limit: int = sys.maxsize) -> list[Record]:
        """At most `limit` records from `offset` on."""
        offsets = self.offsets
        if offset <= offsets[0]:
            at = 0
        elif isinstance(offsets, range):
            at = offset - offsets[0]
        else:
            at = next((i for i, o in enumerate(offsets) if o >= offset), len(offsets))
        if at == 0 and limit >= len(offsets):
            return list(
                map(
                    _make_record,
                    zip(offsets, self.timestamps, self.keys, self.values, self.headers, strict=True),
                )
            )
        part = slice(at, min(len(offsets), at + limit))
        columns = (
            offsets[part],
            self.timestamps[part],
            self.keys[part],
            self.values[part],
            self.headers[part],
        )
        return list(map(_make_record, zip(*columns, strict=True)))

    def encode(self) -> bytes:
        """The chunk as a blob; a range of offsets is not in it, only its length."""
        flags = 0
        parts: list[bytes] = [b""]
        if not isinstance(self.offsets, range):
            flags |= _SPARSE
            parts.append(_pack("q", self.offsets))
        parts.append(_pack("q", self.timestamps))
        if self.keys.count(None) < len(self.keys):
            flags |= _KEYS
            _pack_texts(self.keys, parts)
        _pack_texts(self.values, parts)
        if any(self.headers):
            flags |= _HEADERS
            parts.append(encode_state(list(self.headers)))
        parts[0] = _HEAD.pack(_MAGIC, flags, len(self.values))
        return b"".join(parts)

    @classmethod
    def decode(cls, blob: bytes, last: int) -> Chunk:
        """A chunk from its blob and the offset of its last record. Raises ValueError."""
        if blob[:1] != bytes([_MAGIC]) or len(blob) < _HEAD.size:
            raise ValueError(f"unknown chunk format {blob[:1]!r}")
        _, flags, count = _HEAD.unpack_from(blob)
        at = _HEAD.size
        offsets: Sequence[int] = range(last - count + 1, last + 1)
        if flags & _SPARSE:
            offsets, at = _unpack("q", blob, at, count)
        timestamps, at = _unpack("q", blob, at, count)
        keys: Sequence[bytes | None] = [None] * count
        if flags & _KEYS:
            keys, at = _unpack_texts(blob, at, count)
        values, at = _unpack_texts(blob, at, count)
        headers: Sequence[Headers] = decode_state(blob[at:]) if flags & _HEADERS else [()] * count
        return cls(offsets, timestamps, keys, values, headers)


def _total(texts: Sequence[bytes | None]) -> int:
    try:
        return sum(map(len, texts))  # type: ignore[arg-type]
    except TypeError:
        return sum(len(t) for t in texts if t is not None)


def _pack(code: str, numbers: Sequence[int]) -> bytes:
    packed = array(code, numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _unpack(code: str, blob: bytes, at: int, count: int) -> tuple[array[int], int]:
    numbers = array(code)
    end = at + count * numbers.itemsize
    numbers.frombytes(memoryview(blob)[at:end])
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers, end


def _pack_texts(texts: Sequence[bytes | None], parts: list[bytes]) -> None:
    try:
        lengths = list(map(len, texts))  # type: ignore[arg-type]
        found: Iterable[bytes] = texts  # type: ignore[assignment]
    except TypeError:
        lengths = [-1 if t is None else len(t) for t in texts]
        found = [t for t in texts if t is not None]
    parts.append(_pack("i", lengths))
    parts.extend(found)


def _unpack_texts(blob: bytes, at: int, count: int) -> tuple[list[bytes | None], int]:
    lengths, at = _unpack("i", blob, at, count)
    if min(lengths) >= 0:
        ends = list(accumulate(lengths, initial=at))
        return [blob[a:b] for a, b in pairwise(ends)], ends[-1]
    texts: list[bytes | None] = []
    for length in lengths:
        if length < 0:
            texts.append(None)
        else:
            texts.append(blob[at : at + length])
            at += length
    return texts, at
