"""Every query case of the reference, as ksqlDB's own runner checks it."""

from __future__ import annotations

import copy

import pytest

from tests.conformance.cases import Case, load_cases, reference
from tests.conformance.gaps import check, load_gaps
from tests.conformance.query import run_case

pytestmark = pytest.mark.conformance
NO_DATA = "no reference data: set KSQLDB_REFERENCE or put it at ../shared/ksqldb"
IDS = [c.id for c in load_cases("query")] if reference() else []


@pytest.mark.skipif(reference() is None, reason=NO_DATA)
@pytest.mark.parametrize("name", IDS)
def test_case(name: str) -> None:
    check("query", name)


@pytest.mark.skipif(reference() is None, reason=NO_DATA)
def test_gaps_name_cases_that_are_there() -> None:
    known = {f"{kind}/{case.id}" for kind in ("query", "rest") for case in load_cases(kind)}
    assert set(load_gaps()) <= known


MINI = Case(
    "query",
    "mini",
    "mini/filter",
    {
        "name": "filter",
        "statements": [
            "CREATE STREAM INPUT (K STRING KEY, V INT) WITH (kafka_topic='in', value_format='JSON');",
            "CREATE STREAM OUTPUT AS SELECT K, V * 2 AS W FROM INPUT WHERE V > 1;",
        ],
        "inputs": [
            {"topic": "in", "key": "a", "value": {"v": 1}, "timestamp": 5},
            {"topic": "in", "key": "b", "value": {"v": 2}, "timestamp": 6},
        ],
        "outputs": [{"topic": "OUTPUT", "key": "b", "value": {"W": 4}, "timestamp": 6}],
        "post": {"sources": [{"name": "OUTPUT", "type": "stream", "schema": "K STRING KEY, W INT"}]},
    },
)


def test_a_right_case_passes() -> None:
    assert run_case(MINI).passed


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("outputs", 0, "value", "W"), 5, "value"),
        (("outputs", 0, "key"), "c", "key"),
        (("outputs", 0, "timestamp"), 7, "timestamp"),
        (("outputs",), [], "unexpected record"),
        (("post", "sources", 0, "schema"), "K STRING KEY, W BIGINT", "schema"),
        (("post", "sources", 0, "name"), "ELSEWHERE", "missing"),
        (("statements", 1), "CREATE STREAM OUTPUT AS SELECT K, X FROM INPUT;", "rejected"),
        (("expectedException",), {"message": "boom"}, "not rejected"),
    ],
)
def test_the_runner_sees_what_differs(path, value, says) -> None:
    spec = copy.deepcopy(MINI.spec)
    place = spec
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    outcome = run_case(Case("query", "mini", "mini/changed", spec))
    assert not outcome.passed
    assert says in outcome.reason


def test_records_missing_or_out_of_order_are_seen() -> None:
    spec = copy.deepcopy(MINI.spec)
    spec["inputs"].append({"topic": "in", "key": "c", "value": {"v": 3}, "timestamp": 7})
    right = [*spec["outputs"], {"topic": "OUTPUT", "key": "c", "value": {"W": 6}, "timestamp": 7}]
    assert run_case(Case("query", "mini", "m", {**spec, "outputs": right})).passed
    assert not run_case(Case("query", "mini", "m", {**spec, "outputs": right[::-1]})).passed
    assert not run_case(Case("query", "mini", "m", {**spec, "outputs": [*right, right[0]]})).passed
