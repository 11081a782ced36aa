"""ksqlDB's answers to statements, as text and tables for people; sections and words are the ksqlDB CLI's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ksqlkit.cli.descriptions import print_function, print_query, print_source, type_text
from ksqlkit.cli.output import print_line, print_table

Entity = dict[str, Any]

_SOURCE = (("Topic", "topic"), ("Key format", "keyFormat"), ("Value format", "valueFormat"))

# @type -> (key of the list, columns shown as (title, key))
_LISTS: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "streams": ("streams", (("Stream", "name"), *_SOURCE, ("Windowed", "isWindowed"))),
    "tables": ("tables", (("Table", "name"), *_SOURCE, ("Windowed", "isWindowed"))),
    "kafka_topics_extended": (
        "topics",
        (
            ("Topic", "name"),
            ("Partitions", "partitions"),
            ("Replicas", "replicas"),
            ("Consumers", "consumerCount"),
            ("Consumer groups", "consumerGroupCount"),
        ),
    ),
    "kafka_topics": ("topics", (("Topic", "name"), ("Partitions", "partitions"), ("Replicas", "replicas"))),
    "function_names": ("functions", (("Function", "name"), ("Type", "type"), ("Category", "category"))),
    "properties": ("properties", (("Property", "name"), ("Scope", "scope"), ("Value", "value"))),
    "variables": ("variables", (("Variable", "name"), ("Value", "value"))),
    "connector_list": (
        "connectors",
        (("Connector", "name"), ("Type", "type"), ("Class", "className"), ("State", "state")),
    ),
    "connector_plugins_list": (
        "connectorsPlugins",
        (("Class", "className"), ("Type", "type"), ("Version", "version")),
    ),
}


def print_entity(entity: Entity) -> None:
    """Print one answer, and its warnings."""
    kind = entity.get("@type", "")
    if kind in _LISTS:
        _list(entity, *_LISTS[kind])
    elif kind in _PRINTERS:
        _PRINTERS[kind](entity)
    else:
        hidden = ("@type", "statementText", "warnings")
        print_table(None, ["", ""], [[k, v] for k, v in entity.items() if k not in hidden and v is not None])
    for warning in entity.get("warnings") or ():
        print_line(f"WARNING: {warning['message']}")


def _list(entity: Entity, key: str, columns: tuple[tuple[str, str], ...]) -> None:
    items = [{**item, **_replicas(item.get("replicaInfo"))} for item in entity.get(key) or ()]
    print_table(None, [title for title, _ in columns], [[item.get(f) for _, f in columns] for item in items])


def _replicas(per_partition: list[int] | None) -> Entity:
    """Replicas of each partition as two numbers, as the ksqlDB CLI tells them."""
    if not per_partition:
        return {}
    same = len(set(per_partition)) == 1
    return {
        "partitions": len(per_partition),
        "replicas": per_partition[0] if same else ", ".join(map(str, per_partition)),
    }


def _queries(entity: Entity) -> None:
    rows = [
        [
            q["id"],
            q["queryType"],
            " ".join(f"{state}:{n}" for state, n in (q.get("statusCount") or {}).items()) or q.get("state"),
            ", ".join(q.get("sinks") or ()),
            ", ".join(q.get("sinkKafkaTopics") or ()),
        ]
        for q in entity["queries"]
    ]
    print_table(None, ["Query", "Type", "Status", "Sink", "Sink topic"], rows)
    for query in entity["queries"]:
        print_line(f"{query['id']}: {' '.join(query['queryString'].split())}")
    if rows:
        print_line("For a query's plan: EXPLAIN <query ID>;")


def _types(entity: Entity) -> None:
    print_table(None, ["Type", "Schema"], [[n, type_text(s)] for n, s in entity["types"].items()])


def _assert_topic(entity: Entity) -> None:
    print_line(f"Topic {entity['topicName']} {_exists(entity)}.")


def _assert_schema(entity: Entity) -> None:
    named = [("subject", entity.get("subject")), ("id", entity.get("id"))]
    shown = "".join(f" {word} {value}" for word, value in named if value is not None)
    print_line(f"Schema with{shown} {_exists(entity)}.")


def _exists(entity: Entity) -> str:
    return "exists" if entity["exists"] else "does not exist"


def _each(key: str, printer: Callable[[Entity], None]) -> Callable[[Entity], None]:
    def run(entity: Entity) -> None:
        for i, item in enumerate(entity[key]):
            if i:
                print_line("")
            printer(item)

    return run


_PRINTERS: dict[str, Callable[[Entity], None]] = {
    "currentStatus": lambda e: print_line(e["commandStatus"]["message"]),
    "warning_entity": lambda e: print_line(e.get("message") or ""),
    "terminate_query": lambda e: print_line(f"Query {e['queryId']} terminated."),
    "assert_topic": _assert_topic,
    "assert_schema": _assert_schema,
    "queries": _queries,
    "type_list": _types,
    "sourceDescription": lambda e: print_source(e["sourceDescription"]),
    "source_descriptions": _each("sourceDescriptions", print_source),
    "queryDescription": lambda e: print_query(e["queryDescription"]),
    "query_descriptions": _each("queryDescriptions", print_query),
    "describe_function": print_function,
}
