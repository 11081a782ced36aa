"""What DESCRIBE and EXPLAIN tell of a stream, table, query or function, section by section as the ksqlDB CLI does."""

from __future__ import annotations

import datetime as dt
import textwrap
from collections.abc import Iterable
from typing import Any

from ksqlkit.cli.output import console, print_line, print_table

Entity = dict[str, Any]

LABEL = 15  # characters of a label before its colon
PROSE = 100  # characters of a line of prose at most


def print_source(source: Entity) -> None:
    """A stream or table: its columns; where it was asked for EXTENDED, all that is known of it."""
    kind = source["type"].upper()
    if not source.get("extended"):
        print_line(f"{kind} {source['name']}", bold=True)
        _columns(source, kind)
        print_line("For its topic, queries and statistics: DESCRIBE <stream, table> EXTENDED;")
        return
    topic = source["topic"]
    if source.get("partitions"):
        topic += f" (partitions: {source['partitions']}, replication: {source['replication']})"
    _labels(
        ("Name", source["name"]),
        ("Type", kind),
        ("Timestamp field", source.get("timestamp") or "Not set - using <ROWTIME>"),
        ("Key format", source.get("keyFormat")),
        ("Value format", source.get("valueFormat")),
        ("Kafka topic", topic),
        ("Statement", source.get("statement")),
    )
    print_line("")
    _columns(source, kind)
    _section("Sources that have a DROP constraint on this source", source.get("sourceConstraints"))
    _running(f"Queries that read from this {kind}", source.get("readQueries"))
    _running(f"Queries that write to this {kind}", source.get("writeQueries"))
    _statistics(source)
    for summary in source.get("queryOffsetSummaries") or ():
        _consumer_group(summary)


def print_query(query: Entity) -> None:
    """A query: its text, columns, sources, sinks, plan, topology, settings, and the errors it met."""
    hosts = query.get("ksqlHostQueryStatus") or {}
    status = ", ".join(f"{host}: {state}" for host, state in hosts.items()) or query.get("state")
    _labels(
        ("ID", query["id"]),
        ("Query type", query.get("queryType")),
        ("Status", status),
        ("SQL", query.get("statementText")),
    )
    print_line("")
    _columns(query, "STREAM")
    _section("Sources that this query reads from", query.get("sources"))
    _section("Sinks that this query writes to", query.get("sinks"))
    _section("Execution plan", (query.get("executionPlan") or "").expandtabs(2).splitlines())
    _section("Processing topology", (query.get("topology") or "").rstrip().splitlines())
    overridden = query.get("overriddenProperties") or {}
    if overridden:
        _section("Overridden properties")
        print_table(None, ["Property", "Value"], [[k, str(v)] for k, v in sorted(overridden.items())])
    for error in query.get("queryErrors") or ():
        print_line("")
        _labels(
            ("Error date", _time(error.get("timestamp"))),
            ("Error type", error.get("type")),
            ("Error details", error.get("errorMessage")),
        )


def print_function(entity: Entity) -> None:
    """A function: where it comes from, and each way to call it; `...` stands after an argument that repeats."""
    width = min(console.width, PROSE) - LABEL - 3
    name = entity["name"].upper()
    _labels(
        ("Name", name),
        ("Author", (entity.get("author") or "").strip()),
        ("Version", (entity.get("version") or "").strip()),
        ("Overview", textwrap.fill((entity.get("description") or "").strip(), width)),
        ("Type", entity.get("type")),
        ("From", entity.get("path")),
    )
    for overload in entity["functions"]:
        arguments = overload["arguments"]
        print_line("")
        print_line(
            f"{name}({', '.join(_argument(a) for a in arguments)}) -> {overload['returnType']}", bold=True
        )
        told = [("", overload.get("description")), *((a["name"], a.get("description")) for a in arguments)]
        for label, text in told:
            if text and text.strip():
                print_line(textwrap.indent(textwrap.fill(f"{label}: {text}" if label else text, width), "  "))


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


def _argument(argument: Entity) -> str:
    shown = f"{argument['name']} {argument['type']}".strip()
    return f"{shown}..." if argument.get("isVariadic") else shown


def _labels(*pairs: tuple[str, str | None]) -> None:
    """Label and value a line; further lines of a value stand under its first. Those without value are left out."""
    for label, value in pairs:
        if value:
            first, *rest = str(value).splitlines()
            print_line(
                "\n".join([f"{label:<{LABEL}} : {first}", *(" " * (LABEL + 3) + line for line in rest)])
            )


def _section(title: str, lines: Iterable[str] | None = ("",)) -> None:
    lines = list(lines or ())
    if lines:
        print_line("")
        print_line(title, bold=True)
        for line in filter(None, lines):
            print_line(line)


def _columns(described: Entity, kind: str) -> None:
    window = described.get("windowType")
    rows = []
    for field in described.get("fields") or ():
        role = ""
        if field.get("type") == "HEADER":
            role = f"(header('{field['headerKey']}'))" if field.get("headerKey") else "(headers)"
        elif field.get("type") == "KEY":
            role = "(primary key)" if kind == "TABLE" else "(key)"
            role += f" (window type: {window})" if window else ""
        rows.append([field["name"], type_text(field["schema"]), role])
    if rows:
        print_table(None, ["Column", "Type", ""], rows)


def _running(title: str, queries: list[Entity] | None) -> None:
    _section(
        title,
        [
            f"{q['id']} ({q.get('state') or 'N/A'}): {' '.join(q['queryString'].split())}"
            for q in queries or ()
        ],
    )


def _statistics(source: Entity) -> None:
    found = [*(source.get("clusterStatistics") or ()), *(source.get("clusterErrorStats") or ())]
    if not found:
        _section("Statistics", [source.get("statistics") or "", source.get("errorStats") or ""])
        return
    _section(f"Statistics of topic {source['topic']}")
    found.sort(key=lambda s: (str(s.get("host")), s["name"]))
    rows = [[s.get("host"), s["name"], f"{s['value']:.0f}", _time(s.get("timestamp"))] for s in found]
    print_table(None, ["Host", "Metric", "Value", "Last message"], rows)


def _consumer_group(summary: Entity) -> None:
    _section(f"Consumer group {summary['groupId']}")
    if not summary["topicSummaries"]:
        print_line("no offsets committed by this group yet")
    for topic in summary["topicSummaries"]:
        rows = [
            [
                o["partition"],
                o["logStartOffset"],
                o["logEndOffset"],
                o["consumerOffset"],
                o["logEndOffset"] - o["consumerOffset"],
            ]
            for o in topic["offsets"]
        ]
        print_line(f"topic {topic['kafkaTopic']}, max lag {max((r[-1] for r in rows), default=0)}")
        print_table(None, ["Partition", "Start offset", "End offset", "Offset", "Lag"], rows)


def _time(millis: Any) -> str:
    """A moment as text; a real ksqlDB may send it as text already."""
    if not isinstance(millis, int | float):
        return str(millis or "")
    return dt.datetime.fromtimestamp(millis / 1000, dt.UTC).isoformat(timespec="milliseconds")
