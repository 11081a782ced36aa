"""Expressions answer as a real server did, but for the known gaps."""

from __future__ import annotations

import pytest

from tests.conformance.expressions import Outcome, load_gaps, outcomes, reference, totals

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.slow,
    pytest.mark.skipif(reference() is None, reason="no reference data; set KSQLDB_REFERENCE"),
]


def _told(found: list[Outcome]) -> str:
    return "\n".join(
        f"{o.case.id} {o.case.text!a}\n  server: {o.case.expected}\n  ours:   {o.answer}" for o in found[:20]
    )


def test_no_new_differences() -> None:
    gaps = load_gaps()
    found = [outcome for outcome in outcomes() if not outcome.passed and outcome.case.id not in gaps]
    assert not found, f"{len(found)} cases differ:\n{_told(found)}"


def test_gaps_are_real() -> None:
    gaps = load_gaps()
    closed = [outcome.case.id for outcome in outcomes() if outcome.passed and outcome.case.id in gaps]
    assert not closed, f"these pass now, take them off the list: {closed}"
    assert gaps.keys() <= {outcome.case.id for outcome in outcomes()}
    assert all(gaps.values()), "every gap needs a reason"


def test_the_bar() -> None:
    counts = totals(outcomes())
    values, errors, log = counts["values"], counts["errors"], counts["log"]
    assert values[0] >= 0.98 * values[1], values
    assert errors[0] >= 0.95 * errors[1], errors
    assert log[0] >= 0.98 * log[1], log
