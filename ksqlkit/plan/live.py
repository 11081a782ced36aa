"""What a ksqlDB runs now, read through the client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ksqlkit.client.protocol import Client, Entity


@dataclass(frozen=True, slots=True)
class LiveSource:
    """A stream or table of the server: its statement as the server tells it, and the queries around it."""

    name: str
    kind: str
    statement: str
    read_by: tuple[str, ...]
    written_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Live:
    """A server's catalogue at one moment."""

    sources: Mapping[str, LiveSource]
    types: Mapping[str, str]
    queries: Mapping[str, str]  # id -> statement


def read_live(client: Client) -> Live:
    """The catalogue as of now."""
    streams, tables, types, queries = (
        client.execute(sql)[0]
        for sql in ("LIST STREAMS EXTENDED;", "LIST TABLES EXTENDED;", "LIST TYPES;", "LIST QUERIES;")
    )
    described = [*streams["sourceDescriptions"], *tables["sourceDescriptions"]]
    return Live(
        {d["name"].strip("`"): _source(d) for d in described},
        {name: str(schema) for name, schema in types.get("types", {}).items()},
        {q["id"]: q["queryString"] for q in queries["queries"]},
    )


def _source(described: Entity) -> LiveSource:
    return LiveSource(
        described["name"].strip("`"),
        described["type"].upper(),
        described["statement"],
        tuple(q["id"] for q in described["readQueries"]),
        tuple(q["id"] for q in described["writeQueries"]),
    )
