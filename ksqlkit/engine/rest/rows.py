"""How rows of queries are written: one framing per media type, many rows a part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import orjson

from ksqlkit.engine.rest.messages import DELIMITED, JSON, V1
from ksqlkit.engine.results import QueryColumn, Tombstone, schema_text
from ksqlkit.engine.wire import make_row_encoder

Row = Sequence[Any]


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
        self._encode = make_row_encoder([c.type for c in columns])

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
        self._encode = make_row_encoder([c.type for c in columns])

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
        self._encode = make_row_encoder([c.type for c in columns])

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


def make_framing(kind: str, query_id: str, columns: tuple[QueryColumn, ...], *, open_ended: bool) -> Framing:
    """The framing of a media type."""
    makers: dict[str, Callable[[], Framing]] = {
        V1: lambda: V1Array(query_id, columns, open_ended=open_ended),
        JSON: lambda: FlatArray(query_id, columns),
        DELIMITED: lambda: Delimited(query_id, columns),
    }
    return makers[kind]()


def _head(query_id: str, columns: tuple[QueryColumn, ...]) -> bytes:
    return orjson.dumps(
        {
            "queryId": query_id,
            "columnNames": [c.name for c in columns],
            "columnTypes": [str(c.type) for c in columns],
        }
    )
