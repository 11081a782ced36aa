"""The engine's results as ksqlDB's JSON entities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from ksqlkit.dialect import types as T
from ksqlkit.engine import results as R

Entity = dict[str, Any]


def entity(result: R.Result) -> Entity:
    """A result as an entity: its kind, its statement, its own members, its warnings."""
    own = {json_name(n): _value(getattr(result, n)) for n in _own_fields(type(result))}
    warnings = [{"message": w} for w in result.warnings]
    return {"@type": result.entity, "statementText": result.statement_text, **own, "warnings": warnings}


def schema(kind: T.SqlType) -> Entity:
    """A type as DESCRIBE shows it."""
    name, members, member = str(kind), None, None
    match kind:
        case T.Array(item):
            name, member = "ARRAY", schema(item)
        case T.Map(_, value):
            name, member = "MAP", schema(value)
        case T.Struct(parts):
            name, members = "STRUCT", [{"name": n, "schema": schema(t)} for n, t in parts]
    shown: Entity = {"type": name, "fields": members, "memberSchema": member}
    if isinstance(kind, T.Decimal):
        shown |= {"type": "DECIMAL", "parameters": {"precision": kind.precision, "scale": kind.scale}}
    return shown


def column(found: R.QueryColumn) -> Entity:
    """A query's column as the websocket's header shows it."""
    shown = {"name": found.name, "schema": schema(found.type)}
    return {**shown, "type": "KEY"} if found.key else shown


def _value(value: Any) -> Any:
    if isinstance(value, T.SqlType):
        return schema(value)
    if isinstance(value, R.FieldInfo):
        shown = {"name": value.name, "schema": schema(value.schema)}
        if value.header_key is not None:
            shown["headerKey"] = value.header_key
        if value.type is not None:
            shown["type"] = value.type
        return shown
    if is_dataclass(value):
        return {json_name(f.name): _value(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple | list):
        return [_value(v) for v in value]
    if isinstance(value, Mapping):
        return {k: _value(v) for k, v in value.items()}
    return value


_COMMON = frozenset(f.name for f in fields(R.Result))


def _own_fields(kind: type[R.Result]) -> list[str]:
    return [f.name for f in fields(kind) if f.name not in _COMMON]


@cache
def json_name(name: str) -> str:
    """`query_id` as `queryId`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
