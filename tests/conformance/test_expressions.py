"""Expressions answer as a real server did, but for the known gaps."""

from __future__ import annotations

import pytest

from ksqlkit.dialect import parse_expression
from ksqlkit.engine.expressions import compile_function
from ksqlkit.errors import KsqlkitError
from tests.conformance.expressions import Oracle, Outcome, load_gaps, outcomes, reference, totals

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


_WITHIN = (
    "ARRAY[{0}, {0}] = ARRAY[{0}]",
    "STRUCT(A := {0})->A",
    "MAP('a' := {0})['a']",
    "CASE WHEN I > 0 THEN {0} END",
    "COALESCE({0}, {0})",
    "CAST({0} AS STRING)",
    "TRANSFORM(ARRAY[1, 2], QQ => {0})",
    "({0}) IS NULL AND B",
    "({0}) IN ({0}, {0})",
    "({0}) BETWEEN ({0}) AND ({0})",
    "({0}) IS DISTINCT FROM ({0})",
    "({0}) + ({0}) * ({0}) / ({0})",
)


def test_expressions_compose() -> None:
    """What compiles alone compiles and runs within anything that takes it: a fault of ours would be a NameError."""
    root = reference()
    assert root is not None
    oracle = Oracle(root)
    heard: list[Exception] = []
    for outcome in outcomes()[::25]:
        for frame in _WITHIN if outcome.answer.error is None else ():
            text = frame.format(outcome.case.text)
            try:
                evaluate = compile_function(
                    [parse_expression(text)],
                    oracle.columns,
                    oracle.functions,
                    lambda _, error: heard.append(error),
                )
            except KsqlkitError:
                continue
            for row in oracle.rows():
                evaluate(row)
            wrong = [
                e for e in heard if isinstance(e, NameError | AttributeError | LookupError | AssertionError)
            ]
            assert not wrong, f"{text!a}: {wrong[0]!r}"
            heard.clear()
