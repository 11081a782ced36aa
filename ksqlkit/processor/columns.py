"""A call's rows on the wire: as Arrow columns where all is text, numbers and truth values, else as JSON rows."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import starmap
from typing import Any, Final, NamedTuple

import orjson

from ksqlkit.dialect import parse_type
from ksqlkit.dialect import types as T
from ksqlkit.scoring.entry import Entry, plain

JSON: Final = "application/json"
ARROW: Final = "application/vnd.apache.arrow.stream"
_ARROW_TYPES: Final[Mapping[T.SqlType, str]] = {
    T.DOUBLE: "float64", T.BIGINT: "int64", T.INTEGER: "int32", T.STRING: "string", T.BOOLEAN: "bool_",
}  # fmt: skip

Rows = Sequence[tuple[Any, ...]]
Failures = dict[int, tuple[str, str]]  # row -> code, message


class Answer(NamedTuple):
    """Values by row (None where it failed), failures, and the model and version that answered."""

    values: list[Any]
    failures: Failures
    model: str | None
    version: int


class NoSense(Exception):
    """An answer that is not one to what was asked."""


@cache
def have_arrow() -> bool:
    """Whether calls may go as Arrow; imports all that it takes."""
    try:
        import numpy as np
        import pyarrow as pa
    except ImportError:
        return False
    pa.array(np.zeros(1))  # which looks for pandas, the first time
    return True


def arrow_types(entry: Entry, width: int) -> tuple[str, ...] | None:
    """Arrow's names of the types of a call's arguments, None for a call that goes as JSON."""
    fitting = [o for o in entry.overloads if _takes(o, width)]
    if len(fitting) != 1 or not have_arrow():
        return None
    (overload,) = fitting
    kinds = [parse_type(a["type"]) for a in overload["args"]]
    kinds += kinds[-1:] * (width - len(kinds))
    if not {*kinds, parse_type(overload["returns"])} <= _ARROW_TYPES.keys():
        return None
    return tuple(_ARROW_TYPES[kind] for kind in kinds)


def _takes(overload: Mapping[str, Any], width: int) -> bool:
    declared = len(overload["args"])
    return declared == width or (bool(overload.get("variadic")) and declared <= width)


def encode(rows: Rows, kinds: tuple[str, ...] | None) -> bytes:
    """The body of a call. Raises TypeError for a value that has no form on the wire."""
    if kinds is None:
        return orjson.dumps({"data": [(i, *row) for i, row in enumerate(rows)]}, default=plain)
    import pyarrow as pa

    arrays = _numbers(rows, len(kinds)) if set(kinds) == {"float64"} else None
    if arrays is None:
        columns = zip(*rows, strict=True)
        arrays = [pa.array(c, getattr(pa, kind)()) for c, kind in zip(columns, kinds, strict=True)]
    batch = pa.record_batch(arrays, [f"a{i}" for i in range(len(kinds))])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


def _numbers(rows: Rows, width: int) -> list[Any] | None:
    """Columns of rows of numbers, all in one go; None where a value is missing."""
    import numpy as np
    import pyarrow as pa

    try:
        packed = b"".join(starmap(struct.Struct(f"{width}d").pack, rows))
    except struct.error:
        return None
    matrix = np.frombuffer(packed).reshape(len(rows), width)
    return [pa.array(column) for column in matrix.T.copy()]


def decode(body: bytes, rows: int, *, arrow: bool) -> Answer:
    """What a call's body says. Raises NoSense for an answer to other rows than those asked."""
    return _decode_arrow(body, rows) if arrow else _decode_json(body, rows)


def _decode_json(body: bytes, rows: int) -> Answer:
    try:
        document = orjson.loads(body)
        numbers = [pair[0] for pair in document["data"]]
        values = [pair[1] for pair in document["data"]]
        failures = {int(row): (str(code), str(message)) for row, code, message in document["errors"]}
        model, version = document["model"], int(document["version"])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise NoSense(f"the scoring server's answer makes no sense: {error}") from error
    if numbers != list(range(rows)):
        # Never guess which row an answer belongs to.
        raise NoSense(f"the scoring server answered other rows than the {rows} asked")
    return Answer(values, failures, model, version)


def _listed(column: Any) -> list[Any]:
    """A column's values; numbers without gaps many times faster than one by one."""
    import pyarrow as pa

    if column.null_count or not (pa.types.is_float64(column.type) or pa.types.is_integer(column.type)):
        found: list[Any] = column.to_pylist(maps_as_pydicts="strict")
    else:
        found = column.to_numpy().tolist()
    return found


def _decode_arrow(body: bytes, rows: int) -> Answer:
    import pyarrow as pa

    try:
        table = pa.ipc.open_stream(body).read_all()
        values, codes = _listed(table["value"]), table["error_code"]
        failures: Failures = {}
        if codes.null_count < len(codes):
            messages = table["error"].to_pylist()
            failures = {i: (c, messages[i]) for i, c in enumerate(codes.to_pylist()) if c is not None}
        about = table.schema.metadata or {}
        model, version = about.get(b"model", b"").decode() or None, int(about[b"version"])
    except (pa.ArrowInvalid, KeyError, ValueError) as error:
        raise NoSense(f"the scoring server's answer makes no sense: {error}") from error
    if len(values) != rows:
        raise NoSense(f"the scoring server answered {len(values)} rows instead of {rows}")
    return Answer(values, failures, model, version)
