"""Test files: `tests/*.sql` of a project, and those in `tests` folders within its `sql` folder."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import parse_one, split
from ksqlkit.errors import Location, ParseError
from ksqlkit.files import read_text
from ksqlkit.project.config import Config
from ksqlkit.testing.stubs import Stub, read_stub

_DIRECTIVE = re.compile(
    r"^[ \t]*--@(test|stub|expected\.error|expected\.message):[ \t]*(.*?)[ \t]*$", re.MULTILINE
)


class Step(NamedTuple):
    """A statement of a test: its text, its node, and where it stands."""

    text: str
    node: N.Statement
    place: Location


@dataclass(frozen=True, slots=True)
class Case:
    """One test. Where `fails` is set, a statement has to be refused with a message that holds this text. Of stubs
    of one function, the last counts."""

    file: Path
    name: str
    line: int
    steps: tuple[Step, ...] = ()
    fails: str | None = None
    stubs: tuple[Stub, ...] = ()


def find_files(config: Config) -> list[Path]:
    """A project's test files, in name order."""
    within = [f for f in config.sql.rglob("*.sql") if "tests" in f.relative_to(config.sql).parts[:-1]]
    return sorted({*(config.root / "tests").glob("*.sql"), *within})


def read_cases(path: Path) -> list[Case]:
    """A file's tests: one for each `--@test: name`, or a single one. What stands before the first holds for each.

    Raises ParseError placed in the file, UserError for a file that is not text.
    """
    text = read_text(path)
    steps = _steps(path, text)
    cases: list[Case] = []
    shared: tuple[Stub, ...] = ()
    for match in _DIRECTIVE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if match[1] == "test":
            cases.append(Case(path, match[2] or path.stem, line, stubs=shared))
        elif match[1] == "stub":
            stub = read_stub(match[2], Location(str(path), line, 1, match[0].strip()))
            if cases:
                cases[-1] = replace(cases[-1], stubs=(*cases[-1].stubs, stub))
            else:
                shared = (*shared, stub)
        elif cases:
            told = match[2] if match[1] == "expected.message" else cases[-1].fails or ""
            cases[-1] = replace(cases[-1], fails=told)
    if not cases:
        return [Case(path, path.stem, 1, tuple(steps), stubs=shared)]
    ends = [case.line for case in cases[1:]] + [text.count("\n") + 2]
    common = [s for s in steps if (s.place.line or 0) < cases[0].line]
    return [
        replace(case, steps=(*common, *(s for s in steps if case.line <= (s.place.line or 0) < end)))
        for case, end in zip(cases, ends, strict=True)
    ]


def _steps(path: Path, text: str) -> list[Step]:
    lines = text.split("\n")
    steps = []
    for statement, span in split(text):
        place = Location(str(path), span.line, span.column, lines[span.line - 1].rstrip("\r"))
        try:
            steps.append(Step(statement, parse_one(statement, testing=True), place))
        except ParseError as exc:
            raise exc.at(
                file=str(path), line=span.line + ((exc.location and exc.location.line) or 1) - 1
            ) from None
    return steps
