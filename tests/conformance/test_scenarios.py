"""Every recorded streaming scenario, each a case; gaps are data, and strict."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance import scenarios

GAPS = scenarios.gaps()
CASES = scenarios.load()


@pytest.mark.conformance
@pytest.mark.skipif(not CASES, reason="no reference data: set KSQLDB_REFERENCE or put it at ../shared/ksqldb")
@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(
            s,
            id=s["id"],
            marks=[pytest.mark.xfail(reason=GAPS[s["id"]], strict=True)] if s["id"] in GAPS else [],
        )
        for s in CASES
    ],
)
def test_scenario(scenario: dict[str, Any]) -> None:
    assert scenarios.difference(scenario) is None


def test_gaps_name_scenarios() -> None:
    known = {s["id"] for s in CASES}
    assert not CASES or set(GAPS) <= known
