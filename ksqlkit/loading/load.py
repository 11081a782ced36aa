"""Rows of a file to a topic, through the client, in batches."""

from __future__ import annotations

import base64
import decimal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from ksqlkit.client.protocol import Client, TopicRecord
from ksqlkit.dialect import parse_type
from ksqlkit.dialect.types import Array, Decimal, Map, SqlType, Struct
from ksqlkit.engine.catalog import Format
from ksqlkit.engine.schema import Column
from ksqlkit.errors import DataError, Location
from ksqlkit.loading.readers import Row, converters, infer, parquet_types, read_lines, to_millis
from ksqlkit.loading.values import Fit, can_be, fitter, insertable

BATCH = 5_000
SHOWN = 80  # characters of a value in a message


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

    def types(self, key: str | None = None) -> dict[str, SqlType]:
        """A file's column, in upper case -> SQL type; `key` names the column for a key of one column."""
        named = {key.upper(): self.key[0].type} if key and len(self.key) == 1 else {}
        return {**named, **{c.name.upper(): c.type for c in (*self.key, *self.value)}}


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
                hint=f"It has {', '.join(columns)}. {_separated(list(columns))}Nothing was loaded.",
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
                self._write_value([upper.get(c.name.upper()) for c in self.shape.value]), key, timestamp
            )
        if self.shape and self.shape.value:
            return TopicRecord(
                orjson.dumps({c.name: upper.get(c.name.upper()) for c in self.shape.value}, _as_json),
                key,
                timestamp,
            )
        return TopicRecord(orjson.dumps(row, _as_json), key, timestamp)


def _separated(columns: list[str]) -> str:
    """What to do about a heading that is one cell because something else than commas separates it."""
    other = next((sign for sign in ";\t|" if len(columns) == 1 and sign in columns[0]), None)
    return f"Separate the cells by commas, not by {other!r}. " if other else ""


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
    types = encoder.shape.types(encoder.key) if encoder.shape else {}
    wanted = {c.upper() for c in (encoder.key, encoder.timestamp) if c}
    as_text = columns is not None and ".csv" in path.suffixes
    if columns is not None and not as_text:
        _check_types(path, types, encoder)
    fits = _cells(types, wanted) if as_text else {name: fitter(kind) for name, kind in types.items()}
    other = infer if as_text else None
    plan: dict[str, Fit | None] = {}
    for number, row in lines:
        try:
            if columns is None:
                _check_names(row, wanted)
            if row.keys() != plan.keys():
                plan = {name: fits.get(name.upper(), other) for name in row}
            row = _fit(row, plan, types)
            if encoder.timestamp:
                _event_time(_find(row, encoder.timestamp), encoder.timestamp)
        except DataError as exc:
            raise exc.at(file=str(path), line=number) from None
        yield row


def _check_types(path: Path, types: dict[str, SqlType], encoder: Encoder) -> None:
    """Raise DataError for Parquet columns of types that can never fit, all of them at once."""
    assert encoder.shape is not None or not types
    wrong = [
        f"column {name} is {arrow}, {encoder.shape.source} has {types[name.upper()]}"
        for name, arrow in parquet_types(path).items()
        if encoder.shape and name.upper() in types and not can_be(arrow, types[name.upper()])
    ]
    if wrong:
        hint = "Convert them in the file, or declare the columns with the file's types. Nothing was loaded."
        raise DataError("; ".join(wrong), location=Location(str(path)), hint=hint)


def _insert(client: Client, encoder: Encoder, rows: Iterator[Row]) -> int:
    """Formats with registered schemas are written by the ksqlDB, which knows the registry."""
    shape = encoder.shape
    assert shape is not None
    if encoder.timestamp:
        raise DataError(
            f"Rows of {shape.source} are {shape.value_format}; they are inserted one by one, without an event time",
            hint="Leave --timestamp out, and declare the stream WITH (TIMESTAMP='column').",
        )
    made = {c.name.upper(): (f"`{c.name}`", insertable(c.type)) for c in (*shape.key, *shape.value)}
    if encoder.key and len(shape.key) == 1:
        made[encoder.key.upper()] = made[shape.key[0].name.upper()]

    def inserted(row: Row) -> Row:
        given = ((made[name.upper()], value) for name, value in row.items() if name.upper() in made)
        return {name: None if value is None else write(value) for (name, write), value in given}

    return client.insert(shape.source, map(inserted, rows))


def _cells(types: dict[str, SqlType], as_text: set[str]) -> dict[str, Fit]:
    """How to read CSV cells by column; empty cells are null. Arrays, maps and structs are JSON in their cell."""
    plain = converters({name: str(kind) for name, kind in types.items()})
    made: dict[str, Fit] = {}
    for name in {*types, *as_text}:
        kind = types.get(name)
        if isinstance(kind, Array | Map | Struct):
            made[name] = _cell(_json_cell(fitter(kind)), "NA")
        elif isinstance(kind, Decimal):
            made[name] = _cell(fitter(kind), "NA")
        else:
            read: Fit = plain.get(name, str)
            made[name] = _cell(read, None if read is str else "NA")
    return made


def _cell(read: Fit, null: str | None) -> Fit:
    return lambda text: None if text in ("", null) else read(text)


def _json_cell(fit: Fit) -> Fit:
    return lambda text: fit(orjson.loads(text))


def _fit(row: Row, plan: dict[str, Fit | None], types: dict[str, SqlType]) -> Row:
    """A row's values by their columns' types, or as they are. Raises DataError naming the column."""
    name, value = "", None
    fitted = {}
    try:
        for name, value in row.items():
            fit = plan[name]
            fitted[name] = value if fit is None else fit(value)
    except (ValueError, TypeError, OverflowError):
        shown = repr(value) if len(repr(value)) <= SHOWN else repr(value)[:SHOWN] + "..."
        raise DataError(f"{shown} in column {name} is not a {types.get(name.upper(), 'value')}") from None
    return fitted


def _check_names(row: Row, wanted: set[str]) -> None:
    """JSON lines name their columns in each row: only key and timestamp are needed, other columns may be missing."""
    have = {name.upper() for name in row}
    for column in wanted:
        if column not in have:
            raise DataError(f"The row has no column {column}")


def _find(row: Row, column: str) -> Any:
    return next((value for name, value in row.items() if name.upper() == column.upper()), None)
