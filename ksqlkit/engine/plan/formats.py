"""What each serialization format can hold, as ksqlDB checks it before a source or a query exists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from ksqlkit.dialect import types as T
from ksqlkit.engine.analysis.text import fail
from ksqlkit.engine.catalog import Format
from ksqlkit.engine.schema import Column
from ksqlkit.errors import StatementError

# Format -> the values of WRAP_SINGLE_VALUE it takes.
WRAPPING: Final[dict[str, frozenset[bool]]] = {
    "AVRO": frozenset({True, False}),
    "DELIMITED": frozenset({False}),
    "JSON": frozenset({True, False}),
    "JSON_SR": frozenset({True, False}),
    "KAFKA": frozenset({False}),
    "NONE": frozenset(),
    "PROTOBUF": frozenset({True}),
    "PROTOBUF_NOSR": frozenset({True, False}),
}
_SCHEMA_OPTIONS: Final = frozenset({"SCHEMA_FULL_NAME", "SCHEMA_ID"})
# Format -> the options it takes.
OPTIONS: Final[dict[str, frozenset[str]]] = {
    "AVRO": _SCHEMA_OPTIONS,
    "DELIMITED": frozenset({"DELIMITER"}),
    "JSON_SR": _SCHEMA_OPTIONS,
    "PROTOBUF": _SCHEMA_OPTIONS | {"NULLABLE_REPRESENTATION"},
    "PROTOBUF_NOSR": frozenset({"NULLABLE_REPRESENTATION"}),
}
_OPTION_TEXT: Final = {
    "DELIMITER": "delimiter",
    "SCHEMA_FULL_NAME": "fullSchemaName",
    "SCHEMA_ID": "schemaId",
    "NULLABLE_REPRESENTATION": "nullableRepresentation",
}
INFERS_SCHEMA: Final = frozenset({"AVRO", "JSON_SR", "PROTOBUF"})
_KAFKA_TYPES: Final = (T.INTEGER, T.BIGINT, T.DOUBLE, T.STRING, T.BYTES)


class FormatError(StatementError):
    """A schema that its format cannot hold. ksqlDB finds it only when a planned statement is run."""

    code = "SQL_FORMAT"


def base_name(t: T.SqlType) -> str:
    """The type without its parameters: ARRAY, MAP, STRUCT, DECIMAL, or the primitive's name."""
    return t.name if isinstance(t, T.Primitive | T.Named) else type(t).__name__.upper()


def _within(t: T.SqlType) -> Iterator[T.SqlType]:
    yield t
    if isinstance(t, T.Array):
        yield from _within(t.item)
    elif isinstance(t, T.Map):
        yield from _within(t.key)
        yield from _within(t.value)
    elif isinstance(t, T.Struct):
        for _, field in t.fields:
            yield from _within(field)


def takes_key(fmt: str, t: T.SqlType) -> bool:
    """Whether a key column of the type can be in the format."""
    if fmt == "KAFKA":
        return t in _KAFKA_TYPES
    if fmt in ("DELIMITED", "NONE"):
        return fmt == "DELIMITED" and isinstance(t, T.Primitive | T.Decimal)
    return True


def internal_key_format(fmt: Format, types: Sequence[T.SqlType]) -> Format:
    """The format of a new key inside a query: the given one, JSON where that cannot hold it."""
    several = len(types) > 1 and fmt.name == "KAFKA"
    return Format("JSON") if several or not all(takes_key(fmt.name, t) for t in types) else fmt


def check_format_name(name: str) -> str:
    """The format's name in upper case. Raises StatementError for one that does not exist."""
    if name.upper() not in WRAPPING:
        raise fail(f"Unknown format: {name}", hint=f"formats are {', '.join(WRAPPING)}")
    return name.upper()


def check_options(name: str, options: Iterable[str]) -> None:
    """Raise StatementError for options that the format does not take."""
    extra = sorted(set(options) - OPTIONS.get(name, frozenset()))
    if extra:
        listed = ", ".join(_OPTION_TEXT[o] for o in extra)
        raise fail(f"{name} does not support the following configs: [{listed}]")


def check_key(fmt: Format, columns: Sequence[Column]) -> None:
    """Raise StatementError if the key columns cannot be in the format."""
    for column in columns:
        if any(isinstance(t, T.Map) for t in _within(column.type)):
            raise FormatError(
                "Map keys, including types that contain maps, are not supported as they may lead to unexpected "
                f"behavior due to inconsistent serialization. Key column name: `{column.name}`. "
                f"Column type: {column.type}. See https://github.com/confluentinc/ksql/issues/6621 for more."
            )
    _check("Key", fmt, columns, " KEY", len(columns) == 1)


def check_value(fmt: Format, columns: Sequence[Column]) -> None:
    """Raise StatementError if the value columns cannot be in the format; header columns are not serialized."""
    _check("Value", fmt, [c for c in columns if c.header is None], "", False)


def _check(target: str, fmt: Format, columns: Sequence[Column], mark: str, single_key: bool) -> None:
    if fmt.name in _NAME_CHECKS:
        structs = (t for c in columns for t in _within(c.type) if isinstance(t, T.Struct))
        unwrapped = fmt.name == "AVRO" and len(columns) == 1 and (single_key or fmt.wrap is False)
        own = [] if unwrapped else [c.name for c in columns]
        _NAME_CHECKS[fmt.name]([*own, *(n for s in structs for n, _ in s.fields)])
    reason = _unsupported(fmt.name, columns, mark)
    if reason is None:
        return
    unwraps = single_key and len(WRAPPING[fmt.name]) == 2
    features = "[UNWRAP_SINGLES]" if unwraps else "[]"
    listed = ", ".join(f"`{c.name}` {c.type}{mark}" for c in columns)
    raise FormatError(
        f"{target} format does not support schema.\nformat: {fmt.name}\n"
        f"schema: Persistence{{columns=[{listed}], features={features}}}\nreason: {reason}",
        error_code=40000,
    )


def _check_avro_names(names: Iterable[str]) -> None:
    for name in names:
        if not re.match("[A-Za-z_]", name):
            raise FormatError(f"Schema is not compatible with Avro: Illegal initial character: {name}")
        if not re.fullmatch("[A-Za-z0-9_.]+", name):  # a dot is written as an underscore
            raise FormatError(f"Schema is not compatible with Avro: Illegal character in: {name}")


def _check_protobuf_names(names: Iterable[str]) -> None:
    for name in names:
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
            raise FormatError(f'Schema is not compatible with Protobuf: "{name}" is not a valid identifier.')


_NAME_CHECKS: Final = {
    "AVRO": _check_avro_names,
    "PROTOBUF": _check_protobuf_names,
    "PROTOBUF_NOSR": _check_protobuf_names,
}


def _unsupported(fmt: str, columns: Sequence[Column], mark: str) -> str | None:
    got = "[" + ", ".join(f"`{c.name}` {c.type}{mark}" for c in columns) + "]"
    if fmt == "NONE" and columns:
        return f"The 'NONE' format can only be used when no columns are defined. Got: {got}"
    if fmt == "KAFKA":
        if len(columns) > 1:
            return f"The 'KAFKA' format only supports a single field. Got: {got}"
        if columns and columns[0].type not in _KAFKA_TYPES:
            return f"The 'KAFKA' format does not support type '{base_name(columns[0].type)}'"
    if fmt == "DELIMITED":
        for c in columns:
            if isinstance(c.type, T.Array | T.Map | T.Struct):
                return (
                    f"The 'DELIMITED' format does not support type '{base_name(c.type)}', column: `{c.name}`"
                )
    maps = [t for c in columns for t in _within(c.type) if isinstance(t, T.Map) and t.key != T.STRING]
    if maps and fmt in ("PROTOBUF", "PROTOBUF_NOSR"):
        return "PROTOBUF format only supports MAP types with STRING keys. Got: " + str(maps[0].key)
    if maps and fmt == "AVRO":
        return "Avro only supports MAPs with STRING keys"
    if maps and fmt in ("JSON", "JSON_SR"):
        return "JSON only supports MAP types with STRING keys"
    return None


def with_wrapping(fmt: Format, wrap: bool | None, value_columns: int) -> Format:
    """The value format with an explicit WRAP_SINGLE_VALUE. Raises StatementError where the format cannot do it."""
    if wrap is None:
        return fmt
    if wrap not in WRAPPING[fmt.name]:
        raise fail(f"Format '{fmt.name}' does not support 'WRAP_SINGLE_VALUE' set to '{str(wrap).lower()}'.")
    if value_columns != 1:
        raise fail("'WRAP_SINGLE_VALUE' is only valid for single-field value schemas")
    return replace(fmt, wrap=wrap)
