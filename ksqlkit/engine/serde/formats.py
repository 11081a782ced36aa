"""The formats by name: what each can hold, and how to make its readers and writers.

A format is one entry of FORMATS; adding one is a module with a reader and a writer, and its entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.catalog import Format
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde import delimited, json_read, json_write, kafka
from ksqlkit.errors import StatementError

Columns = tuple[Column, ...]
Deserializer = Callable[[bytes | None], tuple[Any, ...] | None]
Serializer = Callable[[Sequence[Any] | None], bytes | None]


@dataclass(frozen=True, slots=True)
class FormatSpec:
    """A format. `check` refuses columns it cannot hold; `wrap`/`unwrap` say which of the two it can do with
    a single value column, `options` which properties it knows (lower case)."""

    name: str
    check: Callable[[Format, tuple[Column, ...]], None]
    reader: Callable[[Format, tuple[Column, ...], bool, str], Deserializer]
    writer: Callable[[Format, tuple[Column, ...], bool, str], Serializer]
    wrap: bool = False
    unwrap: bool = True
    options: frozenset[str] = frozenset()


def base_type(kind: T.SqlType) -> str:
    """ARRAY, DECIMAL, STRING ...: the name ksqlDB's errors use."""
    return kind.name if isinstance(kind, T.Primitive) else type(kind).__name__.upper()


def _where(is_key: bool, topic: str) -> str:
    return f"{'key' if is_key else 'value'} from topic: {topic}"


def is_wrapped(format: Format, columns: Sequence[Column], *, is_key: bool) -> bool:
    """Whether a format that can do both puts the columns into an object."""
    return len(columns) != 1 or (not is_key and format.wrap is not False)


def _check_json(_: Format, columns: tuple[Column, ...]) -> None:
    for column in columns:
        _check_map_keys(column.type)


def _check_map_keys(kind: T.SqlType) -> None:
    match kind:
        case T.Map(key, value):
            if key != T.STRING:
                raise StatementError("JSON only supports MAP types with STRING keys")
            _check_map_keys(value)
        case T.Array(item):
            _check_map_keys(item)
        case T.Struct(fields):
            for _, field in fields:
                _check_map_keys(field)


def _check_kafka(_: Format, columns: tuple[Column, ...]) -> None:
    if len(columns) > 1:
        listed = ", ".join(f"`{c.name}` {c.type}" for c in columns)
        raise StatementError(f"The 'KAFKA' format only supports a single field. Got: [{listed}]")
    for column in columns:
        if column.type not in kafka.SUPPORTED:
            raise StatementError(f"The 'KAFKA' format does not support type '{base_type(column.type)}'")


def _check_delimited(format: Format, columns: tuple[Column, ...]) -> None:
    _delimiter(format)
    for column in columns:
        if isinstance(column.type, T.Array | T.Map | T.Struct):
            raise StatementError(
                f"The 'DELIMITED' format does not support type '{base_type(column.type)}', column: `{column.name}`"
            )


def _delimiter(format: Format) -> str:
    options = {name.lower(): value for name, value in format.options}
    return delimited.parse_delimiter(options.get("delimiter", ","))


def _check_none(_: Format, columns: tuple[Column, ...]) -> None:
    if columns:
        listed = ", ".join(f"`{c.name}` {c.type}" for c in columns)
        raise StatementError(
            f"The 'NONE' format can only be used when no columns are defined. Got: [{listed}]"
        )


def _needs_registry(format: Format, _: tuple[Column, ...]) -> None:
    raise StatementError(
        f"The '{format.name}' format needs a Schema Registry, and none is configured.",
        error_code=42801,
        status=428,
        hint="use JSON, DELIMITED or KAFKA, or set ksql.schema.registry.url",
    )


def _unreachable(format: Format, *_: object) -> Any:
    raise AssertionError(f"{format.name} passed its check")


def _json_reader(format: Format, columns: Columns, is_key: bool, topic: str) -> Deserializer:
    wrapped = is_wrapped(format, columns, is_key=is_key)
    return json_read.make_reader(columns, wrapped=wrapped, where=_where(is_key, topic))


def _json_writer(format: Format, columns: Columns, is_key: bool, topic: str) -> Serializer:
    return json_write.make_writer(columns, wrapped=is_wrapped(format, columns, is_key=is_key), topic=topic)


def _kafka_reader(_: Format, columns: Columns, __: bool, topic: str) -> Deserializer:
    return kafka.make_reader(columns, topic=topic)


def _kafka_writer(_: Format, columns: Columns, __: bool, topic: str) -> Serializer:
    return kafka.make_writer(columns, topic=topic)


def _delimited_reader(format: Format, columns: Columns, __: bool, topic: str) -> Deserializer:
    return delimited.make_reader(columns, delimiter=_delimiter(format), topic=topic)


def _delimited_writer(format: Format, columns: Columns, *_: object) -> Serializer:
    return delimited.make_writer(columns, delimiter=_delimiter(format))


def _nothing(*_: object) -> Any:
    return kafka.none


FORMATS: Final[dict[str, FormatSpec]] = {
    spec.name: spec
    for spec in (
        FormatSpec("JSON", _check_json, _json_reader, _json_writer, wrap=True),
        FormatSpec("KAFKA", _check_kafka, _kafka_reader, _kafka_writer),
        FormatSpec(
            "DELIMITED",
            _check_delimited,
            _delimited_reader,
            _delimited_writer,
            options=frozenset({"delimiter"}),
        ),
        FormatSpec("NONE", _check_none, _nothing, _nothing, unwrap=False),
        *(
            FormatSpec(name, _needs_registry, _unreachable, _unreachable, wrap=True)
            for name in ("AVRO", "JSON_SR", "PROTOBUF", "PROTOBUF_NOSR")
        ),
    )
}


def check_format(format: Format, columns: Sequence[Column]) -> FormatSpec:
    """The format's entry, when it can hold the columns. Raises StatementError."""
    spec = FORMATS.get(format.name)
    if spec is None:
        raise StatementError(f"Unknown format: {format.name}")
    spec.check(format, tuple(columns))
    return spec


@lru_cache(maxsize=1024)
def _deserializer(format: Format, columns: tuple[Column, ...], is_key: bool, topic: str) -> Deserializer:
    return check_format(format, columns).reader(format, columns, is_key, topic)


@lru_cache(maxsize=1024)
def _serializer(format: Format, columns: tuple[Column, ...], is_key: bool, topic: str) -> Serializer:
    return check_format(format, columns).writer(format, columns, is_key, topic)


def make_deserializer(
    format: Format, columns: Sequence[Column], *, is_key: bool, topic: str = ""
) -> Deserializer:
    """A function from a record's key or value to column values.

    It gives None for a null record (also for the JSON value null where an object is due) and raises
    SerdeError; the topic is named in its messages. Raises StatementError when the format cannot hold the
    columns.
    """
    return _deserializer(format, tuple(columns), is_key, topic)


def make_serializer(
    format: Format, columns: Sequence[Column], *, is_key: bool, topic: str = ""
) -> Serializer:
    """A function from column values to a record's key or value; None, a tombstone, stays None.

    A single null without an object around it is None too. Raises StatementError when the format cannot hold
    the columns; the function raises SerdeError for values that cannot be written.
    """
    return _serializer(format, tuple(columns), is_key, topic)
