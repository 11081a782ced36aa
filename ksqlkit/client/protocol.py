"""What every part of ksqlkit may ask of a ksqlDB, wherever it runs.

Two forms exist: `HttpClient` (a real ksqlDB, or ours behind its port) and `EmbeddedClient` (the engine in
this process). Both answer with ksqlDB's own JSON entities, so that nothing above can tell them apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self

import orjson

Row = list[Any]
Options = Mapping[str, Any] | None
Entity = dict[str, Any]
INSERT_BATCH = 5_000  # rows a request


class Header(NamedTuple):
    """What comes before a query's rows: `types` are SQL type texts, parallel to `columns`."""

    query_id: str
    columns: list[str]
    types: list[str]


class Number(float):
    """A number that keeps the text it came as: all digits of a DECIMAL."""

    text: str

    def __new__(cls, text: str) -> Self:
        """From the number's text."""
        made = super().__new__(cls, text)
        made.text = text
        return made

    def __str__(self) -> str:
        """The text."""
        return self.text


def read_row(line: bytes | str, *, exact: bool) -> Any:
    """A row's JSON; with `exact`, numbers with a fraction are Numbers."""
    if exact:
        return json.loads(line, parse_float=Number)
    return orjson.loads(line)


@dataclass(frozen=True, slots=True)
class Rows:
    """A finished query. Values are as in ksqlDB's JSON: dates as text, BYTES as base64, DECIMAL a number."""

    columns: list[str]
    types: list[str]
    rows: list[Row]

    def dicts(self) -> list[dict[str, Any]]:
        """One dict a row, by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class TopicRecord(NamedTuple):
    """A record to write to a topic: text or bytes as they shall lie there. `timestamp` is in milliseconds."""

    value: bytes | None
    key: bytes | None = None
    timestamp: int | None = None
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class RowErrors:
    """What went wrong with rows that a query read: how many errors, and the first reasons that differ."""

    count: int = 0
    reasons: tuple[str, ...] = ()


class RowStream(Protocol):
    """A running query's rows; closing it ends the query on the server."""

    header: Header

    @property
    def row_errors(self) -> RowErrors:
        """Errors of rows so far, of servers that tell them: ours."""

    def __iter__(self) -> Iterator[Row]:
        """Rows as they come; ends when the query does."""

    def __enter__(self) -> Self:
        """Itself."""

    def __exit__(self, *exc: object) -> None:
        """Close."""

    def close(self) -> None:
        """End the query."""


class Client(Protocol):
    """A ksqlDB. Methods raise StatementError for what it refuses, Unreachable where no server answers."""

    def info(self) -> Entity:
        """{"version", "kafkaClusterId", "ksqlServiceId", "serverStatus"}."""

    def execute(self, sql: str, *, properties: Options = None, variables: Options = None) -> list[Entity]:
        """Run statements other than queries; one entity per statement that has an answer."""

    def query(self, sql: str, *, properties: Options = None, variables: Options = None) -> Rows:
        """Run a query that ends (a pull query, or a push query with LIMIT) and gather its rows."""

    def stream(
        self, sql: str, *, properties: Options = None, variables: Options = None, exact: bool = False
    ) -> AbstractContextManager[RowStream]:
        """Run a query and hand over its rows one by one; with `exact`, DECIMALs with all their digits, as Numbers."""

    def lines(self, sql: str, *, properties: Options = None) -> Iterator[str]:
        """Run a PRINT statement; its lines as they come."""

    def insert(self, target: str, rows: Iterable[Mapping[str, Any]]) -> int:
        """Insert rows (column name -> value) into a stream or table in order; returns how many were accepted.

        Raises DataError naming the first row that is refused; rows before it are in.
        """

    def produce(self, topic: str, records: Sequence[TopicRecord]) -> int:
        """Append records to a topic (Kafka REST Proxy's v2 call); returns how many."""

    def close(self) -> None:
        """Release connections."""
