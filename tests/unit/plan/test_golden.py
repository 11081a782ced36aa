"""Plans and messages by example: the cases are data in tests/golden/plan."""

from __future__ import annotations

import json

import pytest

from ksqlkit.engine.plan.describe import describe_plan, format_topology
from ksqlkit.errors import KsqlkitError
from tests.support.planning import GOLDEN, SOURCES, blocks, new_context, run

PREFIX = "Could not determine output schema for query due to error: "
PLANS = blocks("plans.txt")
TOPOLOGIES = blocks("topologies.txt")
ERRORS: list[dict[str, str]] = json.loads((GOLDEN / "errors.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("title", PLANS)
def test_plan(title: str) -> None:
    sql, expected = PLANS[title]
    ctx = new_context()
    run(ctx, SOURCES)
    plan = run(ctx, sql)
    assert plan is not None
    assert describe_plan(plan).rstrip("\n").replace("\t\t", "    ") == expected


@pytest.mark.parametrize("title", TOPOLOGIES)
def test_topology(title: str) -> None:
    sql, expected = TOPOLOGIES[title]
    ctx = new_context()
    run(ctx, SOURCES)
    plan = run(ctx, sql)
    assert plan is not None
    assert format_topology(plan).rstrip("\n") == expected


@pytest.mark.parametrize("case", ERRORS, ids=lambda c: c["sql"])
def test_error(case: dict[str, str]) -> None:
    ctx = new_context()
    run(ctx, SOURCES)
    with pytest.raises(KsqlkitError) as caught:
        run(ctx, case["sql"])
    message = caught.value.message.removeprefix(PREFIX).split("\nStatement: CREATE")[0]
    assert message == case["message"]
    if "place" in case:
        assert str(caught.value.location) == case["place"]
