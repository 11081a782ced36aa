"""Columns, values and formats of the serde cases under tests/golden/serde."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from ksqlkit.dialect.parser import parse_schema_text
from ksqlkit.engine.catalog import Format
from ksqlkit.engine.schema import Column

GOLDEN = Path(__file__).parents[1] / "golden" / "serde"


def load_cases(name: str) -> list[dict[str, Any]]:
    """The cases of a file."""
    return [json.loads(line) for line in (GOLDEN / name).read_text("utf-8").splitlines() if line]


def columns_of(text: str) -> tuple[Column, ...]:
    """Columns from "A INT, B STRING"."""
    return tuple(Column(c.name, c.type) for c in parse_schema_text(text)) if text else ()


def format_of(case: dict[str, Any]) -> Format:
    """The case's format; JSON when it names none."""
    return Format(case.get("format", "JSON"), tuple(case.get("options", {}).items()), case.get("wrap"))


def value_of(value: Any) -> Any:
    """A value from its JSON form: {"decimal"}, {"base64"} and {"double"} stand for what JSON cannot say."""
    if isinstance(value, list):
        return [value_of(v) for v in value]
    if isinstance(value, dict):
        match value:
            case {"decimal": text}:
                return Decimal(text)
            case {"base64": text}:
                return base64.b64decode(text)
            case {"double": text}:
                return float(text)
        return {k: value_of(v) for k, v in value.items()}
    return value


def bytes_of(case: dict[str, Any], name: str) -> bytes | None:
    """The record: `name` as text, or `name`_b64."""
    if (encoded := case.get(f"{name}_b64")) is not None:
        return base64.b64decode(encoded)
    text = case[name]
    return None if text is None else text.encode()
