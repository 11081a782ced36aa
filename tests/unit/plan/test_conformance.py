"""ksqlDB's own cases: every query plans to the schema that the case names, or is refused with its message."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest

from tests.conformance.cases import Case, load_cases, reference
from tests.support.planning import GOLDEN, is_about_planning, problem

GAPS: dict[str, str] = json.loads((GOLDEN / "known_gaps.json").read_text(encoding="utf-8"))


def _features() -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = defaultdict(list)
    if reference() is not None:
        for case in load_cases("query"):
            found[case.feature].append(case)
    return found


FEATURES = _features()


@pytest.mark.skipif(
    not FEATURES, reason="no reference data: set KSQLDB_REFERENCE or put it at ../shared/ksqldb"
)
@pytest.mark.parametrize("feature", FEATURES or [None])
def test_feature(feature: str) -> None:
    wrong = {}
    for case in FEATURES[feature]:
        if not is_about_planning(case.spec):
            continue
        found = problem(case.spec)
        if found is None and case.id in GAPS:
            wrong[case.id] = "passes now: remove it from the known gaps"
        elif found is not None and case.id not in GAPS:
            wrong[case.id] = found
    assert not wrong


def test_a_changed_expectation_is_seen() -> None:
    spec = {
        "statements": [
            "CREATE STREAM S (ID INT KEY, V INT) WITH (kafka_topic='s', value_format='JSON');",
            "CREATE STREAM O AS SELECT ID, V + 1 AS W FROM S;",
        ],
        "post": {"sources": [{"name": "O", "type": "stream", "schema": "ID INT KEY, W INT"}]},
    }
    assert problem(spec) is None
    spec["post"] = {"sources": [{"name": "O", "type": "stream", "schema": "ID INT KEY, W BIGINT"}]}
    assert problem(spec) is not None
    assert problem({**spec, "expectedException": {"message": "no"}}) == "not refused"
