"""Formats: bytes to column values and back."""

from ksqlkit.engine.serde.errors import SerdeError
from ksqlkit.engine.serde.formats import (
    FORMATS,
    FormatSpec,
    check_format,
    make_deserializer,
    make_serializer,
)

__all__ = ["FORMATS", "FormatSpec", "SerdeError", "check_format", "make_deserializer", "make_serializer"]
