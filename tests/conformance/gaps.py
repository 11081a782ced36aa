"""Known gaps: which cases are expected to fail, and why."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.conformance import query, rest
from tests.conformance.cases import Case, load_cases
from tests.conformance.query import Outcome

FILE = Path(__file__).with_name("gaps.toml")
RUNNERS = {"query": query.run_case, "rest": rest.run_case}


@dataclass(frozen=True)
class Gap:
    """A reason for failing, for named cases or for all with such a message."""

    reason: str
    cases: frozenset[str] = frozenset()
    message: str | None = None
    count: int = 0

    def covers(self, case: Case, outcome: Outcome) -> bool:
        """Whether it expects this case, or a failure like this one."""
        if f"{case.kind}/{case.id}" in self.cases:
            return True
        return (
            self.message is not None and not outcome.passed and bool(re.search(self.message, outcome.reason))
        )


def load_gaps() -> list[Gap]:
    """The gaps of the data file."""
    raw = tomllib.loads(FILE.read_text(encoding="utf-8"))["gap"]
    return [
        Gap(g["reason"], frozenset(g.get("cases", ())), g.get("message"), int(g.get("count", 0))) for g in raw
    ]


@cache
def outcomes(kind: str) -> dict[str, tuple[Case, Outcome]]:
    """All cases of a kind, run once. Raises FileNotFoundError without the reference data."""
    return {case.id: (case, RUNNERS[kind](case)) for case in load_cases(kind)}


def gap_for(gaps: Iterable[Gap], case: Case, outcome: Outcome) -> Gap | None:
    """The first gap that expects the case."""
    return next((g for g in gaps if g.covers(case, outcome)), None)
