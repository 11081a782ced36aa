"""States as bytes: numbers, texts and numpy arrays, exactly, without pickle."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import orjson


def pack(state: Mapping[str, Any]) -> bytes:
    """A mapping of names to JSON values or numpy arrays, as bytes: a JSON head, then the arrays."""
    plain: dict[str, Any] = {}
    arrays: list[tuple[str, str, list[int]]] = []
    parts: list[bytes] = []
    for name, value in state.items():
        if hasattr(value, "tobytes"):
            arrays.append((name, value.dtype.str, list(value.shape)))
            parts.append(value.tobytes())
        else:
            plain[name] = value
    head = orjson.dumps([plain, arrays])
    return b"".join((struct.pack("<I", len(head)), head, *parts))


def unpack(content: bytes) -> dict[str, Any]:
    """What `pack` was given; raises ValueError for anything else."""
    import numpy as np

    try:
        (size,) = struct.unpack_from("<I", content)
        state, arrays = orjson.loads(content[4 : 4 + size])
        at = 4 + size
        for name, kind, shape in arrays:
            dtype = np.dtype(kind)
            count = int(np.prod(shape, dtype=np.int64))
            state[name] = np.frombuffer(content, dtype, count, at).reshape(shape).copy()
            at += count * dtype.itemsize
    except (struct.error, TypeError, ValueError) as error:
        raise ValueError(f"these {len(content)} bytes are no state: {error}") from error
    return dict(state)
