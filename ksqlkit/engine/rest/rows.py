"""How rows of queries are written: one framing per media type, many rows a part."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Protocol

import orjson

from ksqlkit.engine.catalog import Format
from ksqlkit.engine.rest.messages import DELIMITED, JSON, PROTOBUF, V1
from ksqlkit.engine.results import QueryColumn, Tombstone, schema_text
from ksqlkit.engine.row_errors import RowErrors
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde import make_serializer, proto_schema
from ksqlkit.engine.wire import make_row_encoder

Row = Sequence[Any]
_encoder = lru_cache(maxsize=500)(make_row_encoder)


class Framing(Protocol):
    """Writes a query's answer; each method gives the bytes to send."""

    def header(self) -> bytes:
        """Columns."""

    def rows(self, rows: Iterable[Row]) -> bytes:
        """Some rows."""

    def end(self, message: str | None) -> bytes:
        """The end; with a message for queries that have one."""

    def failed(self, entity: dict[str, Any]) -> bytes:
        """The end of a query that fails under way."""


class Delimited:
    """One JSON value a line: the header, then arrays."""

    def __init__(self, query_id: str, columns: tuple[QueryColumn, ...]) -> None:
        self._head = _head(query_id, columns)
        self._encode = _encoder(tuple(c.type for c in columns))

    def header(self) -> bytes:
        """Columns."""
        return self._head + b"\n"

    def rows(self, rows: Iterable[Row]) -> bytes:
        """Some rows."""
        return b"\n".join([*map(self._encode, rows), b""])

    def end(self, message: str | None) -> bytes:
        """The end: nothing, whatever the message."""
        del message
        return b""

    def failed(self, entity: dict[str, Any]) -> bytes:
        """The end after a failure."""
        return orjson.dumps(entity) + b"\n"


class FlatArray:
    """One JSON array: the header object, then a row each."""

    def __init__(self, query_id: str, columns: tuple[QueryColumn, ...]) -> None:
        self._head = _head(query_id, columns)
        self._encode = _encoder(tuple(c.type for c in columns))

    def header(self) -> bytes:
        """Columns."""
        return b"[" + self._head

    def rows(self, rows: Iterable[Row]) -> bytes:
        """Some rows."""
        return b",".join([b"", *map(self._encode, rows)])

    def end(self, message: str | None) -> bytes:
        """The end, whatever the message."""
        del message
        return b"]"

    def failed(self, entity: dict[str, Any]) -> bytes:
        """The end after a failure."""
        return b"," + orjson.dumps(entity) + b"]"


class V1Array:
    """ksqlDB's first form: an array of objects, a line each. `open_ended` answers put the comma after each."""

    def __init__(self, query_id: str, columns: tuple[QueryColumn, ...], *, open_ended: bool) -> None:
        head = orjson.dumps({"header": {"queryId": query_id, "schema": schema_text(columns)}})
        self._head = b"[" + head
        self._after = b",\n" if open_ended else b""
        self._before = b"" if open_ended else b",\n"
        self._encode = _encoder(tuple(c.type for c in columns))

    def header(self) -> bytes:
        """Columns."""
        return self._head + self._after

    def rows(self, rows: Iterable[Row]) -> bytes:
        """Some rows."""
        return b"".join([self._before + self.row(r) + self._after for r in rows])

    def row(self, row: Row) -> bytes:
        """One row's object."""
        gone = b',"tombstone":true' if isinstance(row, Tombstone) else b""
        return b'{"row":{"columns":' + self._encode(row) + gone + b"}}"

    def end(self, message: str | None) -> bytes:
        """The end."""
        if message is None:
            return b"]"
        return self._before + orjson.dumps({"finalMessage": message}) + b"]"

    def failed(self, entity: dict[str, Any]) -> bytes:
        """The end after a failure."""
        return self._before + orjson.dumps({"errorMessage": entity}) + b"]"


class V1Protobuf(V1Array):
    """As V1Array, with each row's values as one PROTOBUF message in base64; the header has the messages' schema."""

    def __init__(self, query_id: str, columns: tuple[QueryColumn, ...], *, open_ended: bool) -> None:
        super().__init__(query_id, columns, open_ended=open_ended)
        named = [Column(c.name, c.type) for c in columns]
        proto = proto_schema.write_proto([(c.name, c.type) for c in columns])
        head = {"queryId": query_id, "schema": schema_text(columns), "protoSchema": proto}
        self._head = b"[" + orjson.dumps({"header": head})
        self._write = make_serializer(Format("PROTOBUF_NOSR"), named, is_key=False)

    def row(self, row: Row) -> bytes:
        """One row's object."""
        gone = b',"tombstone":true' if isinstance(row, Tombstone) else b""
        return b'{"row":{"protobufBytes":"' + base64.b64encode(self._write(row) or b"") + b'"' + gone + b"}}"


def make_framing(kind: str, query_id: str, columns: tuple[QueryColumn, ...], *, open_ended: bool) -> Framing:
    """The framing of a media type."""
    makers: dict[str, Callable[[], Framing]] = {
        V1: lambda: V1Array(query_id, columns, open_ended=open_ended),
        PROTOBUF: lambda: V1Protobuf(query_id, columns, open_ended=open_ended),
        JSON: lambda: FlatArray(query_id, columns),
        DELIMITED: lambda: Delimited(query_id, columns),
    }
    return makers[kind]()


def row_errors_line(errors: RowErrors) -> bytes:
    """What went wrong with rows so far: an object of ours among the lines of Delimited."""
    return orjson.dumps({"rowErrors": {"count": errors.count, "reasons": errors.reasons}}) + b"\n"


def _head(query_id: str, columns: tuple[QueryColumn, ...]) -> bytes:
    return orjson.dumps(
        {
            "queryId": query_id,
            "columnNames": [c.name for c in columns],
            "columnTypes": [str(c.type) for c in columns],
        }
    )
