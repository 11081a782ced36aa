"""Formats: bytes to column values and back."""

from ksqlkit.engine.serde.errors import SerdeError
from ksqlkit.engine.serde.formats import (
    FORMATS,
    FormatSpec,
    check_format,
    make_deserializer,
    make_serializer,
)
from ksqlkit.engine.serde.inference import infer_columns
from ksqlkit.engine.serde.registry import SchemaRegistry

__all__ = [
    "FORMATS",
    "FormatSpec",
    "SchemaRegistry",
    "SerdeError",
    "check_format",
    "infer_columns",
    "make_deserializer",
    "make_serializer",
]
