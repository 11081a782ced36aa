"""Rows of a file to a topic, through the client, in batches."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from ksqlkit.client.protocol import Client, TopicRecord
from ksqlkit.dialect import parse_type
from ksqlkit.dialect.types import SqlType
from ksqlkit.engine.catalog import Format
from ksqlkit.engine.schema import Column
from ksqlkit.errors import DataError, Location
from ksqlkit.loading.readers import Row, converters, infer, read_lines, to_millis

BATCH = 5_000
TIMES = frozenset({"TIMESTAMP", "DATE", "TIME", "BIGINT"})  # columns whose values are numbers of time


@dataclass(frozen=True, slots=True)
class TopicShape:
    """How records of a topic look, by the stream or table declared over it."""

    source: str
    key_format: str = "KAFKA"
    value_format: str = "JSON"
    key: tuple[Column, ...] = ()
    value: tuple[Column, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether both formats need no schema registry."""
        return {self.key_format, self.value_format} <= {"JSON", "DELIMITED", "KAFKA", "NONE"}

    @property
    def types(self) -> dict[str, str]:
        """Column name -> SQL type text."""
        return {c.name: str(c.type) for c in (*self.key, *self.value)}


@dataclass(slots=True)
class Encoder:
    """Rows to records. `key` and `timestamp` name columns of the rows; without a shape, values are JSON objects."""

    topic: str
    shape: TopicShape | None = None
    key: str | None = None
    timestamp: str | None = None
    _write_key: Callable[[Any], bytes | None] | None = field(default=None, init=False)
    _write_value: Callable[[Any], bytes | None] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        from ksqlkit.engine.serde import make_serializer

        shape = self.shape
        if shape and not shape.plain:
            return
        if shape and shape.key:
            self._write_key = make_serializer(Format(shape.key_format), shape.key, is_key=True)
        if shape and shape.value and shape.value_format != "JSON":
            self._write_value = make_serializer(Format(shape.value_format), shape.value, is_key=False)

    def check(self, columns: Iterable[str], path: Path) -> None:
        """Raise DataError if the file lacks a column that is needed, naming it and the file."""
        have = {c.upper() for c in columns}
        wanted = [(c, "--key") for c in [self.key] if c] + [(c, "--timestamp") for c in [self.timestamp] if c]
        if self.shape:
            named = {k for k in (self.key,) if k}
            wanted += [(c.name, self.shape.source) for c in self.shape.key if not named]
            wanted += [(c.name, self.shape.source) for c in self.shape.value]
        missing = [(c, why) for c, why in wanted if c.upper() not in have]
        if missing:
            names = ", ".join(dict.fromkeys(c for c, _ in missing))
            raise DataError(
                f"The file has no column {names}, which {missing[0][1]} needs",
                location=Location(str(path), 1),
                hint=f"It has {', '.join(columns)}. Nothing was loaded.",
            )

    def encode(self, row: Row) -> TopicRecord:
        """One record."""
        upper = {k.upper(): v for k, v in row.items()}
        timestamp = None
        if self.timestamp:
            timestamp = _event_time(upper.get(self.timestamp.upper()), self.timestamp)
        key: bytes | None = None
        if self._write_key and self.shape:
            one = len(self.shape.key) == 1
            names = [self.key] if self.key and one else [c.name for c in self.shape.key]
            key = self._write_key([upper.pop(n.upper(), None) for n in names])
        elif self.key:
            raw = upper.get(self.key.upper())
            key = None if raw is None else str(raw).encode()
        if self.shape and self._write_value:
            return TopicRecord(
                self._write_value([upper.get(c.name) for c in self.shape.value]), key, timestamp
            )
        if self.shape and self.shape.value:
            return TopicRecord(
                orjson.dumps({c.name: upper.get(c.name) for c in self.shape.value}, _as_json),
                key,
                timestamp,
            )
        return TopicRecord(orjson.dumps(row, _as_json), key, timestamp)


def _event_time(value: Any, column: str) -> int:
    try:
        return to_millis(value)
    except ValueError:
        raise DataError(
            f"{value!r} in column {column} is not a time",
            hint="Use milliseconds since 1970 or ISO 8601, as in 2013-01-01T05:15:00Z.",
        ) from None


def _as_json(value: Any) -> Any:
    """What JSON has no form for: decimals as numbers with all digits, bytes in base64 as ksqlDB has them."""
    if isinstance(value, decimal.Decimal):
        return orjson.Fragment(format(value, "f"))
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError


def describe_topic(client: Client, topic: str) -> TopicShape | None:
    """The shape of a topic by a stream or table that is declared over it, or None if there is none."""
    for sql, part in (("LIST STREAMS EXTENDED;", "STREAM"), ("LIST TABLES EXTENDED;", "TABLE")):
        for found in client.execute(sql)[0]["sourceDescriptions"]:
            if found["topic"] != topic or found["type"].upper() != part:
                continue
            columns = [
                (f.get("type") == "KEY", Column(f["name"], _type(f["schema"]))) for f in found["fields"]
            ]
            return TopicShape(
                found["name"].strip("`"),
                found.get("keyFormat", "KAFKA"),
                found.get("valueFormat", "JSON"),
                tuple(c for is_key, c in columns if is_key),
                tuple(c for is_key, c in columns if not is_key),
            )
    return None


def _type(schema: dict[str, Any]) -> SqlType:
    kind = schema["type"]
    if kind == "ARRAY":
        return parse_type(f"ARRAY<{_type(schema['memberSchema'])}>")
    if kind == "MAP":
        return parse_type(f"MAP<STRING, {_type(schema['memberSchema'])}>")
    if kind == "STRUCT":
        inner = ", ".join(f"`{f['name']}` {_type(f['schema'])}" for f in schema["fields"])
        return parse_type(f"STRUCT<{inner}>")
    if kind == "DECIMAL":
        given = schema["parameters"]
        return parse_type(f"DECIMAL({given['precision']}, {given['scale']})")
    return parse_type(kind)


def load_rows(
    client: Client,
    encoder: Encoder,
    rows: Iterable[Row],
    *,
    on_batch: Callable[[int], None] | None = None,
    batch: int = BATCH,
) -> int:
    """Produce rows in order; returns how many. A row that does not fit stops the load before its batch is sent."""
    done = 0
    pending: list[TopicRecord] = []
    for row in rows:
        pending.append(encoder.encode(row))
        if len(pending) == batch:
            done += client.produce(encoder.topic, pending)
            pending = []
            if on_batch:
                on_batch(done)
    if pending:
        done += client.produce(encoder.topic, pending)
        if on_batch:
            on_batch(done)
    return done


def load_file(
    client: Client,
    path: Path,
    topic: str,
    *,
    key: str | None = None,
    timestamp: str | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> int:
    """Load a file into a topic; see `read_lines` for kinds of files. Raises DataError naming file, line and column."""
    encoder = Encoder(topic, describe_topic(client, topic), key, timestamp)
    for _ in _fitting_rows(path, encoder):
        pass  # nothing is sent of a file with a row that does not fit
    if encoder.shape and not encoder.shape.plain:
        return _insert(client, encoder, _fitting_rows(path, encoder))
    return load_rows(client, encoder, _fitting_rows(path, encoder), on_batch=on_batch)


def _fitting_rows(path: Path, encoder: Encoder) -> Iterator[Row]:
    """A file's rows with typed values. Raises DataError at the first that does not fit."""
    columns, lines = read_lines(path)
    if columns is not None:
        encoder.check(columns, path)
    types = encoder.shape.types if encoder.shape else {}
    by_column = converters(types)
    wanted = [c for c in (encoder.key, encoder.timestamp) if c]
    as_text = columns is not None and ".csv" in path.suffixes
    for number, row in lines:
        try:
            if as_text:
                row = _convert(row, by_column, types, wanted)
            elif columns is None:
                _check_names(row, wanted)
            else:
                row = {name: _time(v) if types.get(name.upper()) in TIMES else v for name, v in row.items()}
            if encoder.timestamp:
                _event_time(_find(row, encoder.timestamp), encoder.timestamp)
        except DataError as exc:
            raise exc.at(file=str(path), line=number) from None
        yield row


def _insert(client: Client, encoder: Encoder, rows: Iterator[Row]) -> int:
    """Formats with registered schemas are written by the ksqlDB, which knows the registry."""
    shape = encoder.shape
    assert shape is not None
    if encoder.timestamp:
        raise DataError(
            f"Rows of {shape.source} are {shape.value_format}; they are inserted one by one, without an event time",
            hint="Leave --timestamp out, and declare the stream WITH (TIMESTAMP='column').",
        )
    names = set(shape.types)
    kept = ({k.upper(): v for k, v in row.items() if k.upper() in names} for row in rows)
    return client.insert(shape.source, kept)


def _convert(
    row: Row, by_column: dict[str, Callable[[str], Any]], types: dict[str, str], wanted: list[str]
) -> Row:
    """Cells of a CSV row as values; empty cells are null."""
    keep = {c.upper() for c in wanted}
    out: Row = {}
    for name, text in row.items():
        read: Callable[[str], Any] = by_column.get(name.upper(), str if name.upper() in keep else infer)
        try:
            out[name] = None if text == "" or (text == "NA" and read is not str) else read(text)
        except ValueError:
            raise DataError(
                f"{text!r} in column {name} is not a {types.get(name.upper(), 'value')}"
            ) from None
    return out


def _time(value: Any) -> Any:
    """A Parquet file's times as the numbers that the engine has; other values as they are."""
    if isinstance(value, dt.datetime):
        return to_millis(value)
    if isinstance(value, dt.date):
        return (value - dt.date(1970, 1, 1)).days
    if isinstance(value, dt.time):
        return ((value.hour * 60 + value.minute) * 60 + value.second) * 1000 + value.microsecond // 1000
    return value


def _check_names(row: Row, wanted: list[str]) -> None:
    """JSON lines name their columns in each row: only key and timestamp are needed, other columns may be missing."""
    have = {name.upper() for name in row}
    for column in wanted:
        if column.upper() not in have:
            raise DataError(f"The row has no column {column}")


def _find(row: Row, column: str) -> Any:
    return next((value for name, value in row.items() if name.upper() == column.upper()), None)
