"""ksqlDB's answers to statements, as tables for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ksqlkit.cli.output import console, print_table

Entity = dict[str, Any]

# @type -> (key of the list, columns shown as (title, key))
_LISTS: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "streams": (
        "streams",
        (("Stream", "name"), ("Topic", "topic"), ("Key", "keyFormat"), ("Value", "valueFormat")),
    ),
    "tables": (
        "tables",
        (
            ("Table", "name"),
            ("Topic", "topic"),
            ("Key", "keyFormat"),
            ("Value", "valueFormat"),
            ("Windowed", "isWindowed"),
        ),
    ),
    "queries": (
        "queries",
        (
            ("Query", "id"),
            ("Type", "queryType"),
            ("State", "state"),
            ("Sinks", "sinks"),
            ("SQL", "queryString"),
        ),
    ),
    "kafka_topics": ("topics", (("Topic", "name"), ("Replicas", "replicaInfo"))),
    "function_names": ("functions", (("Function", "name"), ("Type", "type"), ("Category", "category"))),
    "properties": ("properties", (("Property", "name"), ("Scope", "scope"), ("Value", "value"))),
    "variables": ("variables", (("Variable", "name"), ("Value", "value"))),
}


def print_entity(entity: Entity) -> None:
    """Print one answer."""
    kind = entity.get("@type", "")
    if kind in _LISTS:
        key, columns = _LISTS[kind]
        rows = [[item.get(field) for _, field in columns] for item in entity.get(key, [])]
        print_table(None, [title for title, _ in columns], rows)
        return
    printer = _PRINTERS.get(kind)
    if printer:
        printer(entity)
    else:
        shown = {
            k: v
            for k, v in entity.items()
            if k not in ("@type", "statementText", "warnings") and v is not None
        }
        print_table(None, ["", ""], [[k, v] for k, v in shown.items()])


def _status(entity: Entity) -> None:
    console.print(entity["commandStatus"]["message"], markup=False)


def _warning(entity: Entity) -> None:
    console.print(entity.get("message", ""), markup=False)


def _description(entity: Entity) -> None:
    source = entity["sourceDescription"]
    _source(source)


def _descriptions(entity: Entity) -> None:
    for source in entity["sourceDescriptions"]:
        _source(source)


def _source(source: Entity) -> None:
    columns = [[f["name"], type_text(f["schema"]), f.get("type") or ""] for f in source["fields"]]
    print_table(f"{source['type']} {source['name']}", ["Column", "Type", ""], columns)
    if source.get("statement"):
        console.print(source["statement"], markup=False)


def _types(entity: Entity) -> None:
    print_table(None, ["Type", "Schema"], [[n, type_text(s)] for n, s in entity["types"].items()])


def _function(entity: Entity) -> None:
    console.print(f"{entity['name']}: {entity['description']}", markup=False)
    rows = []
    for overload in entity["functions"]:
        args = ", ".join(f"{a['name']} {a['type']}" for a in overload["arguments"])
        rows.append([f"{entity['name']}({args})", overload["returnType"], overload["description"]])
    print_table(None, ["Call", "Returns", ""], rows)


def _query(entity: Entity) -> None:
    query = entity["queryDescription"]
    console.print(f"{query['id']}  {query.get('state') or ''}", style="bold", markup=False)
    console.print(query["statementText"], markup=False)
    if query.get("executionPlan"):
        console.print(query["executionPlan"], markup=False)


def type_text(schema: Entity) -> str:
    """A field's schema entity as SQL text."""
    kind = schema["type"]
    inner = schema.get("memberSchema")
    if kind == "ARRAY" and inner:
        return f"ARRAY<{type_text(inner)}>"
    if kind == "MAP" and inner:
        return f"MAP<STRING, {type_text(inner)}>"
    if kind == "STRUCT":
        return "STRUCT<" + ", ".join(f"{f['name']} {type_text(f['schema'])}" for f in schema["fields"]) + ">"
    if kind == "DECIMAL":
        given = schema.get("parameters") or {}
        return f"DECIMAL({given.get('precision')}, {given.get('scale')})"
    return str(kind)


_PRINTERS: dict[str, Callable[[Entity], None]] = {
    "currentStatus": _status,
    "warning_entity": _warning,
    "sourceDescription": _description,
    "source_descriptions": _descriptions,
    "type_list": _types,
    "describe_function": _function,
    "queryDescription": _query,
}
