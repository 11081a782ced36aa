"""Every REST case of the reference, against the engine's own answers and over sockets."""

from __future__ import annotations

import copy

import pytest

from tests.conformance.cases import Case, load_cases, reference
from tests.conformance.gaps import check
from tests.conformance.rest import run_case
from tests.conformance.sockets import PROTOCOLS, run_cases
from tests.conformance.test_query import NO_DATA

pytestmark = pytest.mark.conformance
IDS = [c.id for c in load_cases("rest")] if reference() else []


@pytest.mark.skipif(reference() is None, reason=NO_DATA)
@pytest.mark.parametrize("name", IDS)
def test_case(name: str) -> None:
    check("rest", name)


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.skipif(reference() is None, reason=NO_DATA)
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", IDS)
def test_case_over_sockets(name: str, protocol: str) -> None:
    check("rest", name, protocol)


MINI = {
    "statements": [
        "CREATE STREAM INPUT (K STRING KEY, V INT) WITH (kafka_topic='in', value_format='JSON');",
        "CREATE TABLE T AS SELECT K, COUNT(*) AS N FROM INPUT GROUP BY K;",
        "SELECT * FROM T WHERE K = 'a';",
        "SELECT K, V FROM INPUT EMIT CHANGES LIMIT 1;",
    ],
    "inputs": [{"topic": "in", "key": "a", "value": {"v": 1}}],
    "responses": [
        {"admin": {"@type": "currentStatus"}},
        {"admin": {"@type": "currentStatus"}},
        {"query": [{"header": {"schema": "`K` STRING KEY, `N` BIGINT"}}, {"row": {"columns": ["a", 1]}}]},
        {
            "query": [
                {"header": {"schema": "`K` STRING, `V` INTEGER"}},
                {"row": {"columns": ["a", 1]}},
                {"finalMessage": "Limit Reached"},
            ]
        },
    ],
}


def test_a_right_case_passes() -> None:
    outcome = run_case(Case("rest", "mini", "m", MINI))
    assert outcome.passed, outcome.reason


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_wrong_case_fails_over_sockets(protocol: str) -> None:
    wrong = copy.deepcopy(MINI)
    wrong["responses"][2]["query"][1]["row"]["columns"] = ["a", 2]  # type: ignore[index]
    cases = [
        Case("rest", "mini", "m", spec)
        for spec in (MINI, wrong, {**MINI, "expectedError": {"message": "boom"}})
    ]
    run = run_cases(cases, http2=protocol == PROTOCOLS[1])
    assert [outcome.passed for _, outcome in run] == [True, False, False]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("responses", 0, "admin", "@type"), "streams"),
        (("responses", 2, "query", 0, "header", "schema"), "`K` STRING, `N` BIGINT"),
        (("responses", 2, "query", 1, "row", "columns"), ["a", 2]),
        (("responses", 3, "query", 2, "finalMessage"), "Query Completed"),
        (("expectedError",), {"message": "boom"}),
    ],
)
def test_the_runner_sees_what_differs(path, value) -> None:
    spec = copy.deepcopy(MINI)
    place = spec
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert not run_case(Case("rest", "mini", "m", spec)).passed
