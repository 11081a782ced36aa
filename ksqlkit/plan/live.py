"""What a ksqlDB runs now, read through the client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ksqlkit.client.protocol import Client, Entity


@dataclass(frozen=True, slots=True)
class LiveSource:
    """A stream or table of the server: its statement as the server tells it, and the queries around it."""

    name: str
    kind: str
    statement: str
    read_by: tuple[str, ...]
    written_by: tuple[str, ...]
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Live:
    """A server's catalogue at one moment."""

    sources: Mapping[str, LiveSource]
    types: Mapping[str, str]
    queries: Mapping[str, str]  # id -> statement
    states: Mapping[str, str] = field(default_factory=dict)  # id of a query -> RUNNING, PAUSED, ERROR, ...
    topics: Mapping[str, int] = field(default_factory=dict)  # name -> partitions


def read_live(client: Client) -> Live:
    """The catalogue as of now."""
    asked = "LIST STREAMS EXTENDED;", "LIST TABLES EXTENDED;", "LIST TYPES;", "LIST QUERIES;", "LIST TOPICS;"
    streams, tables, types, queries, topics = (client.execute(sql)[0] for sql in asked)
    described = [*streams["sourceDescriptions"], *tables["sourceDescriptions"]]
    return Live(
        {d["name"].strip("`"): _source(d) for d in described},
        {name: str(schema) for name, schema in types.get("types", {}).items()},
        {q["id"]: q["queryString"] for q in queries["queries"]},
        {q["id"]: q.get("state") or "" for q in queries["queries"]},
        {t["name"]: len(t.get("replicaInfo") or ()) for t in topics["topics"]},
    )


def _source(described: Entity) -> LiveSource:
    return LiveSource(
        described["name"].strip("`"),
        described["type"].upper(),
        described["statement"],
        tuple(q["id"] for q in described["readQueries"]),
        tuple(q["id"] for q in described["writeQueries"]),
        described.get("topic") or "",
    )
