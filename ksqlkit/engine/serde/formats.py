"""The formats by name: what each can hold, and how to make its readers and writers.

A format is one entry of FORMATS; adding one is a module with a reader and a writer, and its entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from ksqlkit.dialect import types as T
from ksqlkit.engine.catalog import Format
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde import avro, delimited, json_read, json_sr, json_write, kafka, protobuf, protobuf_sr
from ksqlkit.engine.serde.registry import SchemaRegistry
from ksqlkit.errors import StatementError

Columns = tuple[Column, ...]
Deserializer = Callable[[bytes | None], tuple[Any, ...] | None]
Serializer = Callable[[Sequence[Any] | None], bytes | None]


class Target(NamedTuple):
    """Where records come from or go to."""

    is_key: bool
    topic: str
    registry: SchemaRegistry | None

    @property
    def where(self) -> str:
        """As errors name it."""
        return f"{'key' if self.is_key else 'value'} from topic: {self.topic}"

    @property
    def schemas(self) -> SchemaRegistry:
        """The registry, of formats that need one."""
        assert self.registry is not None
        return self.registry


@dataclass(frozen=True, slots=True)
class FormatSpec:
    """A format: `check` refuses columns it cannot hold, `reader` and `writer` make its functions."""

    name: str
    check: Callable[[Format, Columns], None]
    reader: Callable[[Format, Columns, Target], Deserializer]
    writer: Callable[[Format, Columns, Target], Serializer]
    needs_registry: bool = False


def base_type(kind: T.SqlType) -> str:
    """ARRAY, DECIMAL, STRING ...: the name ksqlDB's errors use."""
    return kind.name if isinstance(kind, T.Primitive) else type(kind).__name__.upper()


def is_wrapped(format: Format, columns: Sequence[Column], *, is_key: bool) -> bool:
    """Whether a format that can do both puts the columns into an object."""
    return len(columns) != 1 or (not is_key and format.wrap is not False)


def _check_json(_: Format, columns: Columns) -> None:
    if not all(_has_text_keys(column.type) for column in columns):
        raise StatementError("JSON only supports MAP types with STRING keys")


def _check_protobuf(_: Format, columns: Columns) -> None:
    if not all(_has_text_keys(column.type) for column in columns):
        raise StatementError(
            "PROTOBUF format only supports MAP types with STRING keys. "
            "See https://github.com/confluentinc/ksql/issues/6177."
        )


def _has_text_keys(kind: T.SqlType) -> bool:
    match kind:
        case T.Map(key, value):
            return key == T.STRING and _has_text_keys(value)
        case T.Array(item):
            return _has_text_keys(item)
        case T.Struct(fields):
            return all(_has_text_keys(field) for _, field in fields)
    return True


def _check_kafka(_: Format, columns: Columns) -> None:
    if len(columns) > 1:
        listed = ", ".join(f"`{c.name}` {c.type}" for c in columns)
        raise StatementError(f"The 'KAFKA' format only supports a single field. Got: [{listed}]")
    for column in columns:
        if column.type not in kafka.SUPPORTED:
            raise StatementError(f"The 'KAFKA' format does not support type '{base_type(column.type)}'")


def _check_delimited(format: Format, columns: Columns) -> None:
    _delimiter(format)
    for column in columns:
        if isinstance(column.type, T.Array | T.Map | T.Struct):
            raise StatementError(
                f"The 'DELIMITED' format does not support type '{base_type(column.type)}', "
                f"column: `{column.name}`"
            )


def _check_avro(_: Format, columns: Columns) -> None:
    if not all(_has_text_keys(column.type) for column in columns):
        raise StatementError("Avro only supports MAPs with STRING keys")


def _option(format: Format, name: str, default: str = "") -> str:
    return dict(format.options).get(name, default)


def _schema_id(format: Format) -> int | None:
    return int(_option(format, "SCHEMA_ID", "0")) or None


def _delimiter(format: Format) -> str:
    return delimited.parse_delimiter(_option(format, "DELIMITER", ","))


def _check_none(_: Format, columns: Columns) -> None:
    if columns:
        listed = ", ".join(f"`{c.name}` {c.type}" for c in columns)
        raise StatementError(
            f"The 'NONE' format can only be used when no columns are defined. Got: [{listed}]"
        )


def _json_reader(format: Format, columns: Columns, target: Target) -> Deserializer:
    wrapped = is_wrapped(format, columns, is_key=target.is_key)
    return json_read.make_reader(columns, wrapped=wrapped, where=target.where)


def _json_writer(format: Format, columns: Columns, target: Target) -> Serializer:
    wrapped = is_wrapped(format, columns, is_key=target.is_key)
    return json_write.make_writer(columns, wrapped=wrapped, topic=target.topic)


def _kafka_reader(_: Format, columns: Columns, target: Target) -> Deserializer:
    return kafka.make_reader(columns, topic=target.topic)


def _kafka_writer(_: Format, columns: Columns, target: Target) -> Serializer:
    return kafka.make_writer(columns, topic=target.topic)


def _delimited_reader(format: Format, columns: Columns, target: Target) -> Deserializer:
    return delimited.make_reader(columns, delimiter=_delimiter(format), topic=target.topic)


def _delimited_writer(format: Format, columns: Columns, _: Target) -> Serializer:
    return delimited.make_writer(columns, delimiter=_delimiter(format))


def _protobuf_reader(format: Format, columns: Columns, target: Target) -> Deserializer:
    return protobuf.make_reader(
        columns, nullable=_option(format, "NULLABLE_REPRESENTATION").upper(), topic=target.topic
    )


def _protobuf_writer(format: Format, columns: Columns, target: Target) -> Serializer:
    wrapped = is_wrapped(format, columns, is_key=target.is_key)
    nullable = _option(format, "NULLABLE_REPRESENTATION").upper()
    return protobuf.make_writer(columns, nullable=nullable, wrapped=wrapped, topic=target.topic)


def _avro_reader(format: Format, columns: Columns, target: Target) -> Deserializer:
    wrapped = is_wrapped(format, columns, is_key=target.is_key)
    return avro.make_reader(columns, wrapped=wrapped, registry=target.schemas, topic=target.topic)


def _avro_writer(format: Format, columns: Columns, target: Target) -> Serializer:
    return avro.make_writer(
        columns,
        wrapped=is_wrapped(format, columns, is_key=target.is_key),
        name=_option(format, "SCHEMA_FULL_NAME") or None,
        registry=target.schemas,
        topic=target.topic,
        is_key=target.is_key,
        number=_schema_id(format),
    )


def _json_sr_reader(format: Format, columns: Columns, target: Target) -> Deserializer:
    wrapped = is_wrapped(format, columns, is_key=target.is_key)
    return json_sr.make_reader(columns, wrapped=wrapped, registry=target.schemas, topic=target.topic)


def _json_sr_writer(format: Format, columns: Columns, target: Target) -> Serializer:
    return json_sr.make_writer(
        columns,
        wrapped=is_wrapped(format, columns, is_key=target.is_key),
        registry=target.schemas,
        topic=target.topic,
        is_key=target.is_key,
        number=_schema_id(format),
    )


def _protobuf_sr_reader(_: Format, columns: Columns, target: Target) -> Deserializer:
    return protobuf_sr.make_reader(columns, registry=target.schemas, topic=target.topic)


def _protobuf_sr_writer(format: Format, columns: Columns, target: Target) -> Serializer:
    return protobuf_sr.make_writer(
        columns,
        nullable=_option(format, "NULLABLE_REPRESENTATION").upper(),
        name=_option(format, "SCHEMA_FULL_NAME") or None,
        registry=target.schemas,
        topic=target.topic,
        is_key=target.is_key,
        number=_schema_id(format),
    )


def _nothing(*_: object) -> Any:
    return kafka.none


FORMATS: Final[dict[str, FormatSpec]] = {
    spec.name: spec
    for spec in (
        FormatSpec("JSON", _check_json, _json_reader, _json_writer),
        FormatSpec("KAFKA", _check_kafka, _kafka_reader, _kafka_writer),
        FormatSpec("DELIMITED", _check_delimited, _delimited_reader, _delimited_writer),
        FormatSpec("PROTOBUF_NOSR", _check_protobuf, _protobuf_reader, _protobuf_writer),
        FormatSpec("NONE", _check_none, _nothing, _nothing),
        FormatSpec("AVRO", _check_avro, _avro_reader, _avro_writer, needs_registry=True),
        FormatSpec("JSON_SR", _check_json, _json_sr_reader, _json_sr_writer, needs_registry=True),
        FormatSpec(
            "PROTOBUF", _check_protobuf, _protobuf_sr_reader, _protobuf_sr_writer, needs_registry=True
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


def _made(format: Format, columns: Columns, target: Target) -> FormatSpec:
    spec = check_format(format, columns)
    if spec.needs_registry and target.registry is None:
        raise StatementError(
            f"The '{format.name}' format needs a Schema Registry, and none is configured.",
            error_code=42801,
            status=428,
            hint="use JSON, DELIMITED, KAFKA or PROTOBUF_NOSR",
        )
    return spec


@lru_cache(maxsize=1024)
def _deserializer(format: Format, columns: Columns, target: Target) -> Deserializer:
    return _made(format, columns, target).reader(format, columns, target)


@lru_cache(maxsize=1024)
def _serializer(format: Format, columns: Columns, target: Target) -> Serializer:
    made = _made(format, columns, target)
    try:
        return made.writer(format, columns, target)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:  # of a registered schema
        raise StatementError(
            f"The schema {_schema_id(format) or ''} of {target.where} cannot be written: {error}"
        ) from None


def make_deserializer(
    format: Format,
    columns: Sequence[Column],
    *,
    is_key: bool,
    topic: str = "",
    registry: SchemaRegistry | None = None,
) -> Deserializer:
    """A function from a record's key or value to column values.

    It gives None for a null record (also for the JSON value null where an object is due) and raises
    SerdeError, whose messages name the topic. Raises StatementError when the format cannot hold the columns.
    """
    return _deserializer(format, tuple(columns), Target(is_key, topic, registry))


def make_serializer(
    format: Format,
    columns: Sequence[Column],
    *,
    is_key: bool,
    topic: str = "",
    registry: SchemaRegistry | None = None,
) -> Serializer:
    """A function from column values to a record's key or value; None, a tombstone, stays None.

    A single null without an object around it is None too. The function raises SerdeError for values that
    cannot be written. Raises StatementError when the format cannot hold the columns.
    """
    return _serializer(format, tuple(columns), Target(is_key, topic, registry))
