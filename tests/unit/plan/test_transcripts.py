"""What a real server answered to statements with queries: the same refusals, word for word, and the same EXPLAIN."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import parse
from ksqlkit.engine.context import Context
from ksqlkit.engine.plan.describe import describe_plan, format_topology
from ksqlkit.errors import KsqlkitError, ParseError
from tests.conformance.cases import reference
from tests.support.planning import new_context, run

# Answered by another part than the planner: where a statement is sent, functions installed on that server alone, an
# upstream fault that is not copied, and a prefix that depends on when the server looks at formats.
OTHERS = re.compile(
    r"ref_shout|ref_sum_squares|^SELECT \* FROM (orders EMIT|customers WHERE)|EXPLODE\(tags\) AS t FROM orders"
)
DEFAULTS = re.compile(r"CLEANUP_POLICY='[a-z,]*', |, RETENTION_MS=\d+")


def _exchanges() -> Iterator[tuple[dict[str, Any], str]]:
    root = reference()
    if root is None:
        return
    for line in (root / "transcripts/exchanges.jsonl").read_text(encoding="utf-8").splitlines():
        exchange = json.loads(line)
        if exchange["id"] >= "666":  # another server's life, with a registry
            return
        try:
            body = json.loads(exchange["req_body"])
            sql = body.get("ksql") or body["sql"]
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        if isinstance(sql, str):
            yield exchange, sql


def _attempt(ctx: Context, sql: str) -> str | None:
    """The message of a refusal, or None. Statements before the refused one stay."""
    try:
        run(ctx, sql)
    except KsqlkitError as error:
        return error.message
    return None


@cache
def replayed() -> tuple[list[tuple[str, str | None, str | None]], list[tuple[str, str, str]]]:
    """Refusals (statement, expected, found) and explained plans (id, expected, found)."""
    ctx = new_context()
    refusals: list[tuple[str, str | None, str | None]] = []
    explained: list[tuple[str, str, str]] = []
    for exchange, sql in _exchanges():
        try:
            nodes = parse(sql)
        except ParseError:
            continue
        pull = any(isinstance(n, N.QueryStatement) and n.query.emit is None for n in nodes)
        if "WebSocket" in exchange["transport"]:
            continue
        if exchange["path"] == "/ksql" or (nodes and isinstance(nodes[0], N.QueryStatement) and not pull):
            found = None if pull else _attempt(ctx, sql)
            asked = any(isinstance(n, N.QueryStatement | N.CreateAsSelect | N.InsertInto) for n in nodes)
            if asked and not pull and not OTHERS.search(sql):
                refusals.append((sql, _message(exchange), found))
        if '"executionPlan"' in str(exchange["body"]):
            explained += _explained(ctx, json.loads(exchange["body"]))
    return refusals, explained


def _message(exchange: dict[str, Any]) -> str | None:
    if exchange["status"] != 400:
        return None
    body = exchange["body"]
    return str((json.loads(body) if isinstance(body, str) else body)["message"])


def _explained(ctx: Context, entities: list[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    for entity in entities:
        wanted = entity.get("queryDescription")
        if wanted is None:
            continue
        text = DEFAULTS.sub("", wanted["statementText"]).replace("CREATE OR REPLACE", "CREATE")
        trial = ctx.fork()
        (node,) = parse(text)
        if isinstance(node, N.CreateAsSelect):
            trial.catalog.sources.pop(node.name, None)
        plan = run(trial, text)
        assert plan is not None
        plan = replace(plan, query_id=wanted["id"])
        yield wanted["id"], wanted["executionPlan"], describe_plan(plan)
        yield wanted["id"], wanted["topology"], format_topology(plan)


absent = pytest.mark.skipif(
    reference() is None, reason="no reference data: set KSQLDB_REFERENCE or put it at ../shared/ksqldb"
)


@absent
def test_refusals() -> None:
    refusals, _ = replayed()
    assert sum(expected is not None for _, expected, _ in refusals) > 30
    late = (
        "Could not determine output schema for query due to error: Key format"  # the server's prefix, or not
    )
    wrong = [r for r in refusals if r[1] != r[2] and not (r[2] or "").startswith(late)]
    assert not wrong


@absent
def test_explain() -> None:
    _, explained = replayed()
    assert len(explained) >= 18
    for _, expected, found in explained:
        assert found == expected
