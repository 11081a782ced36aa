"""PROTOBUF messages in the text form of ksqlDB's case files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ksqlkit.dialect import types as T

Fields = Sequence[tuple[str, T.SqlType]]


def written(fields: Fields, values: Sequence[Any], indent: str = "") -> str:
    """A message, a line a field; fields with default values are left out, as in the bytes."""
    return "".join(_field(n, t, v, indent) for (n, t), v in zip(fields, values, strict=True))


def _field(name: str, kind: T.SqlType, value: Any, indent: str) -> str:
    match kind:
        case T.Array(item):
            return "".join(_one(name, item, v, indent) for v in value or ())
        case T.Map(key, item):
            entry = T.Struct((("key", key), ("value", item)))
            return "".join(
                _one(name, entry, {"key": k, "value": v}, indent) for k, v in (value or {}).items()
            )
    return _one(name, kind, value, indent) if value else ""


def _one(name: str, kind: T.SqlType, value: Any, indent: str) -> str:
    if isinstance(kind, T.Struct):
        inner = written(kind.fields, [value[n] for n, _ in kind.fields], indent + "  ")
        return f"{indent}{name} {{\n{inner}{indent}}}\n"
    if isinstance(value, bytes):
        value = value.decode("ascii", "backslashreplace")
    shown = json.dumps(value) if isinstance(value, str | bool) else str(value)
    return f"{indent}{name}: {shown}\n"
