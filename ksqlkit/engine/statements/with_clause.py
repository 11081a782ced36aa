"""The WITH clause: which properties a statement takes, their types, and what they must not combine.

Messages are ksqlDB's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.catalog import Format, WindowInfo
from ksqlkit.engine.functions.date_patterns import compile_pattern
from ksqlkit.engine.plan.formats import INFERS_SCHEMA, check_format_name, check_options
from ksqlkit.engine.serde.delimited import parse_delimiter
from ksqlkit.errors import DataError, StatementError

PREPARE: Final = "Failed to prepare statement: "
_UNITS: Final = {
    "NANOSECONDS": 1e-6,
    "MICROSECONDS": 1e-3,
    "MILLISECONDS": 1,
    "SECONDS": 1_000,
    "MINUTES": 60_000,
    "HOURS": 3_600_000,
    "DAYS": 86_400_000,
}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"Expected value to be a string, but it was a {_java_class(value)}")
    return value


def _java_class(value: Any) -> str:
    names = {bool: "java.lang.Boolean", int: "java.lang.Integer", float: "java.lang.Double"}
    return names.get(type(value), "java.math.BigDecimal")


def _whole(kind: str, bits: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        if isinstance(value, bool | Decimal | float):
            name = {32: "32-bit integer", 16: "16-bit integer (short)", 64: "64-bit integer (long)"}[bits]
            raise ValueError(f"Expected value to be a {name}, but it was a {_java_class(value)}")
        try:
            number = int(value.strip()) if isinstance(value, str) else int(value)
        except ValueError:
            raise ValueError(f"Not a number of type {kind}") from None
        if not -(1 << (bits - 1)) <= number < 1 << (bits - 1):
            raise ValueError(f"Not a number of type {kind}")
        return number

    return parse


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise ValueError("Expected value to be either true or false")


def _choice(*names: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        text = _text(value).upper()
        if text not in names:
            raise ValueError(f"String must be one of: {', '.join(names)}, null")
        return text

    return parse


def _non_empty(value: Any) -> str:
    if _text(value) == "":
        raise ValueError("String must be non-empty")
    return str(value)


def parse_duration(text: str) -> int:
    """Milliseconds of '30 SECONDS'. Raises ValueError with ksqlDB's words."""
    parts = text.split()
    if len(parts) != 2:
        raise ValueError(f"Invalid duration: '{text}'. Expected 2 tokens, got: {len(parts)}")
    number, unit = parts[0], parts[1].upper()
    if not re.fullmatch(r"[+-]?\d+", number):
        raise ValueError(f"Invalid duration: '{text}'. Not numeric: '{number}'")
    plural = unit if unit.endswith("S") else unit + "S"
    if plural not in _UNITS:
        known = ", ".join(_UNITS)
        raise ValueError(
            f"Invalid duration: '{text}'. Unknown time unit: '{unit}'\nSupported time units are: {known}"
        )
    return int(int(number) * _UNITS[plural])


def _parsed(parse: Callable[[str], object]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        parse(_text(value))
        return str(value)

    return check


_COMMON: Final[dict[str, Callable[[Any], Any]]] = {
    "KAFKA_TOPIC": _non_empty,
    "PARTITIONS": _whole("INT", 32),
    "REPLICAS": _whole("SHORT", 16),
    "RETENTION_MS": _whole("LONG", 64),
    "CLEANUP_POLICY": _text,
    "FORMAT": _text,
    "KEY_FORMAT": _text,
    "VALUE_FORMAT": _text,
    "KEY_DELIMITER": _parsed(parse_delimiter),
    "VALUE_DELIMITER": _parsed(parse_delimiter),
    "KEY_SCHEMA_ID": _whole("INT", 32),
    "VALUE_SCHEMA_ID": _whole("INT", 32),
    "KEY_SCHEMA_FULL_NAME": _text,
    "VALUE_SCHEMA_FULL_NAME": _text,
    "VALUE_AVRO_SCHEMA_FULL_NAME": _text,
    "KEY_PROTOBUF_NULLABLE_REPRESENTATION": _choice("OPTIONAL", "WRAPPER"),
    "VALUE_PROTOBUF_NULLABLE_REPRESENTATION": _choice("OPTIONAL", "WRAPPER"),
    "TIMESTAMP": _text,
    "TIMESTAMP_FORMAT": _text,
    "WRAP_SINGLE_VALUE": _flag,
}
CREATE: Final = _COMMON | {
    "WINDOW_TYPE": _choice("SESSION", "HOPPING", "TUMBLING"),
    "WINDOW_SIZE": _parsed(parse_duration),
    "SOURCE_CONNECTOR": _text,
    "SOURCED_BY_CONNECTOR": _text,
}
CREATE_AS: Final = _COMMON
INSERT: Final[dict[str, Callable[[Any], Any]]] = {"QUERY_ID": _text}

_NESTED: Final = frozenset({"WINDOW_SIZE", "KEY_DELIMITER", "VALUE_DELIMITER"})


def literal(node: N.Expression) -> Any:
    """The Python value of a literal."""
    if isinstance(node, N.Signed) and node.sign == "-":
        return -literal(node.operand)
    return getattr(node, "value", None)


@dataclass(frozen=True, slots=True)
class WithClause:
    """The properties of one statement, checked and typed; `literals` are as written (for the echo)."""

    values: Mapping[str, Any]
    literals: Mapping[str, N.Expression]

    def get(self, name: str) -> Any:
        """The value, or None where the statement does not give it."""
        return self.values.get(name)

    def format(self, side: str) -> Format | None:
        """The KEY or VALUE format named here, with its options; None where none is named."""
        name = self.get("FORMAT") or self.get(f"{side}_FORMAT")
        return None if name is None else self.make_format(name, side)

    def make_format(self, name: str, side: str) -> Format:
        """The format of that name with this clause's options for the side. Raises StatementError."""
        name = check_format_name(name)
        options: dict[str, str] = {}
        schema_name = self.get(f"{side}_SCHEMA_FULL_NAME") or (
            self.get("VALUE_AVRO_SCHEMA_FULL_NAME") if side == "VALUE" else None
        )
        if schema_name:
            options["SCHEMA_FULL_NAME"] = schema_name
        if (delimiter := self.get(f"{side}_DELIMITER")) is not None:
            options["DELIMITER"] = delimiter
        if (schema_id := self.get(f"{side}_SCHEMA_ID")) is not None:
            if name not in INFERS_SCHEMA:
                raise StatementError(
                    f"{side}_FORMAT should support schema inference when {side}_SCHEMA_ID is provided. "
                    f"Current format is {name}."
                )
            options["SCHEMA_ID"] = str(schema_id)
        nullable = f"{side}_PROTOBUF_NULLABLE_REPRESENTATION"
        if (value := self.get(nullable)) is not None:
            if not name.upper().startswith("PROTOBUF"):
                raise StatementError(f"Property {nullable} can only be enabled with protobuf format")
            options["NULLABLE_REPRESENTATION"] = value
        check_options(name, options)
        wrap = self.get("WRAP_SINGLE_VALUE") if side == "VALUE" else None
        return Format(name, tuple(sorted(options.items())), wrap)

    @property
    def window(self) -> WindowInfo | None:
        """The window the WITH clause declares."""
        kind = self.get("WINDOW_TYPE")
        size = self.get("WINDOW_SIZE")
        return None if kind is None else WindowInfo(kind, parse_duration(size) if size else None)


def read(
    properties: N.Properties, allowed: Mapping[str, Callable[[Any], Any]], *, topic_required: bool
) -> WithClause:
    """Check names, types and combinations. Raises StatementError with ksqlDB's messages."""
    literals = {name.upper(): node for name, node in properties}
    if topic_required and "KAFKA_TOPIC" not in literals:
        raise StatementError(PREPARE + 'Missing required property "KAFKA_TOPIC" which has no default value.')
    values: dict[str, Any] = {}
    for name, node in literals.items():
        if name in allowed:
            try:
                values[name] = allowed[name](literal(node))
            except (ValueError, StatementError) as error:
                shown = literal(node)
                shown = str(shown).lower() if isinstance(shown, bool) else shown
                text = f"Invalid value {shown} for property {name}: {error}"
                if name in _NESTED:
                    text = f"Configuration {name} is invalid: {error}"
                raise StatementError(PREPARE + text) from None
    if unknown := sorted(set(literals) - set(allowed)):
        raise StatementError(
            PREPARE + f"Invalid config variable(s) in the WITH clause: {','.join(unknown)}",
            hint=f"known here: {', '.join(sorted(allowed))}",
        )
    _check_combinations(values)
    return WithClause(values, literals)


def _check_combinations(values: Mapping[str, Any]) -> None:
    for side in ("KEY_FORMAT", "VALUE_FORMAT"):
        if "FORMAT" in values and side in values:
            raise StatementError(
                f"{PREPARE}Cannot supply both '{side}' and 'FORMAT' properties, as 'FORMAT' sets both "
                "key and value formats. Either use just 'FORMAT', or use 'KEY_FORMAT' and 'VALUE_FORMAT'."
            )
    if "VALUE_AVRO_SCHEMA_FULL_NAME" in values and "VALUE_SCHEMA_FULL_NAME" in values:
        raise StatementError(
            f"{PREPARE}Cannot supply both 'VALUE_AVRO_SCHEMA_FULL_NAME' and 'VALUE_SCHEMA_FULL_NAME' "
            "properties. Please only set 'VALUE_SCHEMA_FULL_NAME'."
        )
    if (pattern := values.get("TIMESTAMP_FORMAT")) is not None:
        try:
            compile_pattern(pattern)
        except DataError as error:
            raise StatementError(
                f"{PREPARE}Invalid datetime format for config:TIMESTAMP_FORMAT, reason:{error.message}"
            ) from None
    kind, size = values.get("WINDOW_TYPE"), values.get("WINDOW_SIZE")
    if kind in ("HOPPING", "TUMBLING") and size is None:
        raise StatementError(
            f"{PREPARE}{kind} windows require 'WINDOW_SIZE' to be provided in the WITH clause. "
            "For example: 'WINDOW_SIZE'='10 SECONDS'"
        )
    if size is not None and kind not in ("HOPPING", "TUMBLING"):
        raise StatementError(f"{PREPARE}'WINDOW_SIZE' should not be set for SESSION windows.")
    if size is not None and parse_duration(size) <= 0:
        raise StatementError(f"{PREPARE}Size must be positive", hint="for example WINDOW_SIZE='10 SECONDS'")
    if values.get("CLEANUP_POLICY") is not None:
        raise StatementError(
            "Invalid config variable in the WITH clause: CLEANUP_POLICY.\n"
            "The CLEANUP_POLICY config is automatically inferred based on the type of source "
            "(STREAM or TABLE).\n"
            "Users can't set the CLEANUP_POLICY config manually."
        )
