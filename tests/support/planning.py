"""Statements as far as planning goes: on a context whose queries never start."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import parse, parse_schema, split
from ksqlkit.engine import statements
from ksqlkit.engine.clock import SystemClock
from ksqlkit.engine.context import Context, Prepared
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.engine.log.protocol import TopicInfo
from ksqlkit.engine.plan.planner import plan_query
from ksqlkit.engine.plan.steps import QueryPlan
from ksqlkit.engine.properties import Properties
from ksqlkit.engine.serde.registry import SchemaRegistry
from ksqlkit.engine.statements.create import make_schema, resolve_columns_of
from ksqlkit.errors import KsqlkitError
from tests.conformance.udfs import register

GOLDEN = Path(__file__).parents[1] / "golden/plan"
SOURCES = (GOLDEN / "sources.sql").read_text(encoding="utf-8")
_QUERIES = (N.CreateAsSelect, N.InsertInto)
_IGNORED = (N.InsertValues, N.AssertValues, N.AssertSource)


def blocks(name: str) -> dict[str, list[str]]:
    """The blocks of a golden file: each begins with `## title`, its parts are separated by `--`."""
    found = {}
    for block in (GOLDEN / name).read_text(encoding="utf-8").split("## ")[1:]:
        title, _, body = block.partition("\n")
        found[title] = [part.strip("\n") for part in body.split("\n--\n")]
    return found


@cache
def functions() -> Registry:
    """ksqlDB's functions and those its cases call."""
    registry = Registry()
    register(registry)
    return registry


def new_context(properties: Mapping[str, Any] | None = None) -> Context:
    """A context without sources, with an empty schema registry so that its formats are allowed."""
    settings = Properties(dict(properties or {}))
    return Context(functions=functions(), clock=SystemClock(), properties=settings, schemas=SchemaRegistry())


def run(ctx: Context, script: str) -> QueryPlan | None:
    """Run a script; topics come to be as they are named. Answers the plan of its last query, transient ones included.

    Raises KsqlkitError as the engine does.
    """
    plan = None
    for (text, _), node in zip(split(script), parse(script), strict=True):
        if isinstance(node, N.QueryStatement):
            plan = plan_query(
                node.query, catalog=ctx.catalog, functions=ctx.functions, query_id="transient_1"
            )
        elif not isinstance(node, _IGNORED):
            if isinstance(node, N.CreateSource):
                _supply_topic(ctx, node)
            statements.run(ctx, Prepared(node, text, text))
            if isinstance(node, _QUERIES):
                plan = list(ctx.queries.values())[-1].plan
    return plan


def _supply_topic(ctx: Context, node: N.CreateSource) -> None:
    given = {name: getattr(value, "value", None) for name, value in node.properties}
    name = given.get("KAFKA_TOPIC")
    if isinstance(name, str):
        ctx.topics.setdefault(name, TopicInfo(name, int(given.get("PARTITIONS") or 1), 1))


def is_about_planning(spec: Mapping[str, Any]) -> bool:
    """Whether a conformance case plans a query over sources that declare their columns."""
    if spec.get("enabled") is False:
        return False
    try:
        nodes = parse("\n".join(spec["statements"]))
    except KsqlkitError:
        return False
    declared = all(node.columns for node in nodes if isinstance(node, N.CreateSource))
    return declared and any(isinstance(node, _QUERIES) for node in nodes)


def problem(spec: Mapping[str, Any]) -> str | None:
    """What is wrong with how a conformance case plans, or None: its error's message, or its sources' schemas."""
    expected = spec.get("expectedException")
    ctx = new_context(spec.get("properties"))
    try:
        for topic in spec.get("topics", ()):
            if topic["name"] not in _sinks(spec):
                ctx.topics[topic["name"]] = TopicInfo(topic["name"], int(topic.get("partitions") or 1), 1)
        run(ctx, "\n".join(spec["statements"]))
    except KsqlkitError as error:
        if "Schema Registry" in error.message:
            return None  # reads its columns from a schema that is not registered here
        if expected is None:
            return f"refused: {error.message}"
        # ksqlDB's own test appends the statement.
        wanted = str(expected.get("message", "")).split("\nStatement: ")[0]
        return None if wanted.lower() in error.message.lower() else f"says: {error.message}"
    return "not refused" if expected is not None else _difference(spec, ctx)


def _sinks(spec: Mapping[str, Any]) -> set[str]:
    nodes = parse("\n".join(spec["statements"]))
    return {node.name for node in nodes if isinstance(node, N.CreateAsSelect)}


def _difference(spec: Mapping[str, Any], ctx: Context) -> str | None:
    for wanted in spec.get("post", {}).get("sources", ()):
        found = ctx.catalog.get(wanted["name"])
        if found is None or found.kind != wanted["type"].upper():
            return f"{wanted['name']} is {found and found.kind}"
        if wanted.get("schema"):
            schema = make_schema(resolve_columns_of(parse_schema(wanted["schema"]), ctx.catalog))
            if (schema.key, schema.value) != (found.schema.key, found.schema.value):
                return f"{found.name}: {found.schema.describe()} instead of {wanted['schema']}"
        for side, fmt in (("keyFormat", found.key_format), ("valueFormat", found.value_format)):
            name = wanted.get(side, fmt.name)
            name = name.get("format", fmt.name) if isinstance(name, dict) else name
            if name != fmt.name:
                return f"{found.name}: {side} {fmt.name} instead of {name}"
    return None
