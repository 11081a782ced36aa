"""Known gaps: which cases are expected to fail, and why."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import pytest

from tests.conformance import query, rest, sockets
from tests.conformance.cases import Case, load_cases
from tests.conformance.query import Outcome

FILE = Path(__file__).with_name("gaps.toml")
RUNNERS = {"query": query.run_case, "rest": rest.run_case}


@cache
def load_gaps() -> dict[str, str]:
    """The reason for each case (kind/feature/name[/format]) that is expected to fail."""
    raw = tomllib.loads(FILE.read_text(encoding="utf-8"))["gap"]
    return {case: gap["reason"] for gap in raw for case in gap["cases"]}


@cache
def outcomes(kind: str, protocol: str = "") -> dict[str, tuple[Case, Outcome]]:
    """All cases of a kind, run once; over a protocol's sockets where one is named. Raises FileNotFoundError without
    the reference data."""
    if protocol:
        run = sockets.run_cases(load_cases(kind), http2=protocol == sockets.PROTOCOLS[1])
        return {case.id: (case, outcome) for case, outcome in run}
    return {case.id: (case, RUNNERS[kind](case)) for case in load_cases(kind)}


def check(kind: str, name: str, protocol: str = "") -> None:
    """Fail where the case does not pass; expect that it fails where a gap names it."""
    _, outcome = outcomes(kind, protocol)[name]
    reason = load_gaps().get(f"{kind}/{name}")
    if reason is None:
        assert outcome.passed, outcome.reason
    elif outcome.passed:
        pytest.fail(f"passes although a gap is listed: {reason}")
    else:
        pytest.xfail(reason)
