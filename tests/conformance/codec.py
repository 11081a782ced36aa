"""Values of case files to bytes and back, in a topic's format; and when two values are the same."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ksqlkit.dialect import types as T
from ksqlkit.engine.catalog import DataSource, Format
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde import SerdeError, make_deserializer, make_serializer
from ksqlkit.engine.serde.registry import SchemaRegistry
from tests.conformance.cases import loads

_KAFKA_NUMBERS = {T.INTEGER: ">i", T.BIGINT: ">q", T.DOUBLE: ">d"}


class Unsupported(Exception):
    """An answer that the runner cannot ask for yet."""


@dataclass(frozen=True)
class Side:
    """The key or value of a topic: format and columns."""

    format: Format
    columns: tuple[Column, ...]
    is_key: bool = False
    topic: str = ""
    schemas: SchemaRegistry | None = field(default=None, compare=False)

    def reader(self) -> Callable[[bytes | None], Any]:
        return make_deserializer(
            self.format, self.columns, is_key=self.is_key, topic=self.topic, registry=self.schemas
        )

    def writer(self) -> Callable[[Any], bytes | None]:
        return make_serializer(
            self.format, self.columns, is_key=self.is_key, topic=self.topic, registry=self.schemas
        )

    @property
    def name(self) -> str:
        return self.format.name


@dataclass(frozen=True)
class TopicCodec:
    """How a topic's records read; `window` is the key's window type."""

    key: Side
    value: Side
    window: str | None = None

    @staticmethod
    def of(source: DataSource, schemas: SchemaRegistry) -> TopicCodec:
        value = tuple(c for c in source.schema.value if c.header is None)
        return TopicCodec(
            Side(source.key_format, source.schema.key, True, source.topic, schemas),
            Side(source.value_format, value, False, source.topic, schemas),
            source.window.type if source.window else None,
        )


PLAIN = TopicCodec(Side(Format("KAFKA"), (Column("K", T.STRING),), is_key=True), Side(Format("JSON"), ()))


def dumps(value: Any) -> bytes:
    """Compact JSON with exact numbers."""
    return _write(value).encode()


def _write(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value) if value.is_finite() else json.dumps(str(value))
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{_write(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_write(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def encode(side: Side, value: Any) -> bytes | None:
    """A case file's value as the topic's bytes."""
    if value is None:
        return None
    match side.name:
        case "JSON":
            return dumps(value)
        case "DELIMITED":
            return str(value).encode()
        case "NONE":
            return None if value is None else str(value).encode()
        case "KAFKA":
            kind = side.columns[0].type if side.columns else T.STRING
            if isinstance(value, dict) and len(value) == 1:
                value = next(iter(value.values()))
            if kind in _KAFKA_NUMBERS and not isinstance(value, str):
                number = float(value) if kind == T.DOUBLE else int(value)
                return struct.pack(_KAFKA_NUMBERS[kind], number)
            if kind == T.BYTES:
                return base64.b64decode(value)
            return str(value).encode()
        case _:
            return side.writer()(_row(side, value))


def _row(side: Side, value: Any) -> tuple[Any, ...]:
    """A case file's value as column values, read as JSON."""
    names = {c.name.upper() for c in side.columns}
    is_row = not side.is_key and side.format.wrap is not False
    wrapped = isinstance(value, dict) and (is_row or not value or any(k.upper() in names for k in value))
    if not wrapped:
        value = {side.columns[0].name: value}
    read = make_deserializer(Format("JSON", wrap=True), side.columns, is_key=False)
    return read(dumps(value)) or (None,) * len(side.columns)


def decode(side: Side, data: bytes | None) -> Any:
    """The topic's bytes as a case file writes them."""
    if data is None:
        return None
    match side.name:
        case "JSON":
            return loads(data)
        case "DELIMITED" | "NONE":
            return data.decode()
        case "KAFKA":
            kind = side.columns[0].type if side.columns else T.STRING
            if kind in _KAFKA_NUMBERS:
                number = struct.unpack(_KAFKA_NUMBERS[kind], data)[0]
                return Decimal(repr(number)) if isinstance(number, float) else number
            return base64.b64encode(data).decode() if kind == T.BYTES else data.decode()
        case _:
            row = side.reader()(data)
            if row is None:
                return None
            text = make_serializer(Format("JSON", wrap=True), side.columns, is_key=False)(row)
            return loads(text or b"null")


def encode_key(codec: TopicCodec, key: Any, window: dict[str, Any] | None) -> bytes | None:
    """A key of a case file, with its window's bounds."""
    return with_window(encode(codec.key, key), window)


def with_window(data: bytes | None, window: dict[str, Any] | None) -> bytes | None:
    """A key with its window's bounds as Kafka Streams writes them."""
    if window is None or data is None:
        return data
    if str(window["type"]).lower() == "session":
        return data + struct.pack(">qq", window["end"], window["start"])
    return data + struct.pack(">q", window["start"])


def split_window(codec: TopicCodec, key: bytes | None) -> tuple[bytes | None, dict[str, int] | None]:
    """A key without its window, and the window's start (and, for sessions, end)."""
    if codec.window is None or key is None:
        return key, None
    if codec.window == "SESSION":
        end, start = struct.unpack(">qq", key[-16:])
        return key[:-16], {"start": start, "end": end}
    return key[:-8], {"start": struct.unpack(">q", key[-8:])[0]}


def same(expected: Any, actual: Any) -> bool:
    """Equal as JSON: numbers by exact value, objects in any order."""
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, int | Decimal) and isinstance(actual, int | Decimal):
        return Decimal(expected) == Decimal(actual)
    if isinstance(expected, dict) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(same(v, actual[k]) for k, v in expected.items())
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(same, expected, actual))
    return type(expected) is type(actual) and expected == actual


def same_row(side: Side, expected: Any, data: bytes | None) -> bool:
    """Whether the topic's reader sees the expected value and the bytes as the same row.

    ksqlDB's own test runner compares this way: names in any case, fields left out are null, text is a number where
    the column is one.
    """
    if expected is None or data is None or side.name in ("DELIMITED", "KAFKA", "NONE"):
        return False
    read = side.reader()
    try:
        return read(encode(side, expected)) == read(data)
    except SerdeError:
        return False


def headers_in(given: Sequence[dict[str, Any]] | None) -> tuple[tuple[str, bytes | None], ...]:
    """Headers of a case file as the log takes them."""
    pairs = (({k.upper(): v for k, v in h.items()}) for h in given or ())
    return tuple((h["KEY"], None if h["VALUE"] is None else base64.b64decode(h["VALUE"])) for h in pairs)
