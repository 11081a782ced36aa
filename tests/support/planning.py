"""Run the statements of ksqlDB's conformance cases as far as planning goes, without starting queries."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import parse, parse_schema, split
from ksqlkit.engine import statements
from ksqlkit.engine.catalog import Catalog
from ksqlkit.engine.clock import SystemClock
from ksqlkit.engine.context import Context, Prepared
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.engine.log.protocol import TopicInfo
from ksqlkit.engine.properties import Properties
from ksqlkit.engine.schema import Schema
from ksqlkit.engine.statements.create import make_schema, resolve_columns_of
from ksqlkit.errors import KsqlkitError

REFERENCE = Path(os.environ.get("KSQLDB_REFERENCE", Path(__file__).parents[3] / "shared/ksqldb"))
CASES = REFERENCE / "conformance/query"


@dataclass(frozen=True, slots=True)
class Case:
    """One run: a case with its format filled in."""

    feature: str
    name: str
    data: dict[str, Any]

    @property
    def expected_error(self) -> str | None:
        """The message of the expected exception, None where the case must succeed."""
        found = self.data.get("expectedException")
        return None if found is None else str(found.get("message", ""))


def cases(path: Path) -> Iterator[Case]:
    """The runs of one feature's file."""
    for case in json.loads(path.read_text())["tests"]:
        if case.get("enabled") is False:
            continue
        for fmt, config in itertools.product(case.get("format") or [None], case.get("config") or [None]):
            text = json.dumps(case).replace("{FORMAT}", str(fmt)).replace("{CONFIG}", str(config))
            marks = [str(m) for m in (fmt, config) if m is not None]
            yield Case(path.stem, " - ".join([case["name"], *marks]), json.loads(text))


def context(case: Case) -> Context:
    """A context with the case's settings and topics."""
    overrides = {"ksql.schema.registry.url": "http://localhost:8081", **case.data.get("properties", {})}
    ctx = Context(functions=Registry(), clock=SystemClock(), properties=Properties(overrides))
    sinks = {s["name"].upper() for s in case.data.get("post", {}).get("sources", ())}
    for topic in case.data.get("topics", ()):
        if topic["name"].upper() in sinks:
            continue  # described for its schema; the query makes it
        partitions = int(topic.get("numPartitions") or topic.get("partitions") or 4)
        ctx.topics[topic["name"]] = TopicInfo(topic["name"], partitions, int(topic.get("replicas") or 1))
    return ctx


def run(case: Case) -> Context:
    """Run all statements. Raises KsqlkitError as the engine does."""
    ctx = context(case)
    script = "\n".join(case.data["statements"])
    for (text, _), node in zip(split(script), parse(script), strict=True):
        if isinstance(node, N.CreateSource):
            _supply_topic(ctx, node)
        if isinstance(node, N.InsertValues | N.AssertValues | N.AssertSource):
            continue
        statements.run(ctx, Prepared(node, text, text))
    return ctx


def _supply_topic(ctx: Context, node: N.CreateSource) -> None:
    for name, value in node.properties:
        if name == "KAFKA_TOPIC" and isinstance(value, N.StringLiteral):
            given = next(
                (v.value for n, v in node.properties if n == "PARTITIONS" and hasattr(v, "value")), 1
            )
            ctx.topics.setdefault(value.value, TopicInfo(value.value, int(given), 1))


def difference(case: Case, ctx: Context) -> str | None:
    """What is not as the case's `post` says, or None."""
    for wanted in case.data.get("post", {}).get("sources", ()):
        found = ctx.catalog.get(wanted["name"])
        if found is None:
            return f"{wanted['name']} does not exist"
        if found.kind != wanted["type"].upper():
            return f"{found.name} is a {found.kind}"
        if wanted.get("schema") and _plain(found.schema) != _plain(_schema(wanted["schema"], ctx.catalog)):
            return f"{found.name}: {found.schema.describe()} instead of {wanted['schema']}"
        for side, fmt in (("keyFormat", found.key_format), ("valueFormat", found.value_format)):
            expected = wanted.get(side)
            name = expected.get("format", fmt.name) if isinstance(expected, dict) else expected or fmt.name
            if name != fmt.name:
                return f"{found.name}: {side} {fmt.name} instead of {name}"
    return None


def _schema(text: str, catalog: Catalog) -> Schema:
    return make_schema(resolve_columns_of(parse_schema(text), catalog))


def _plain(schema: Schema) -> tuple[object, ...]:
    return schema.key, schema.value


def check(case: Case) -> str | None:
    """None if the case plans as expected, else what is wrong."""
    expected = case.expected_error
    try:
        ctx = run(case)
    except KsqlkitError as error:
        if expected is None:
            return f"unexpected {type(error).__name__}: {error.message}"
        # ksqlDB's test adds the statement's text to the message.
        return None if expected.split("\nStatement: ")[0] in error.message else f"got: {error.message}"
    if expected is not None:
        return "no error"
    return difference(case, ctx)
