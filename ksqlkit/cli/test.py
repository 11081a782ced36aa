"""ksqlkit test: a project's SQL tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ksqlkit.cli.options import (
    JsonOption,
    ProjectOption,
    ScoringOption,
    VarOption,
    open_config,
    open_loader,
    tell_reference,
)
from ksqlkit.cli.output import guarded, print_json, print_line, print_table
from ksqlkit.errors import ProjectError

if TYPE_CHECKING:
    from ksqlkit.testing.run import Outcome


@guarded
def run_tests(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Test files; by default all of the project.", show_default=False),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", help="Also write the results as JUnit XML.")
    ] = None,
    project: ProjectOption = None,
    scoring: ScoringOption = None,
    var: VarOption = None,
    json: JsonOption = False,
) -> None:
    """Run the project's tests: SQL files in tests/, each on an engine of its own in memory.

    INSERT INTO ... VALUES gives input, ASSERT VALUES takes the next record of a stream or table and compares it,
    ASSERT NULL VALUES ... KEY a tombstone, ASSERT STREAM and ASSERT TABLE columns and properties. `--@test: name`
    begins a test where a file holds several, `--@expected.message: text` says that it has to be refused, and
    `--@stub: NAME(A) = expression` what a function answers, such as one of the scoring server.

    Example: ksqlkit test --junit build/tests.xml
    """
    from ksqlkit.testing.cases import find_files, read_cases
    from ksqlkit.testing.junit import to_junit
    from ksqlkit.testing.run import Runner

    config = open_config(project)
    tell_reference(config)
    paths = files or find_files(config)
    if not paths:
        raise ProjectError(f"The project has no tests: no .sql files in {config.root / 'tests'}")
    cases = [case for path in paths for case in read_cases(path)]
    runner = Runner(open_loader(config, var), scoring or config.scoring_url)
    outcomes = []
    for case in cases:
        outcomes.append(runner.run(case))
        if not json:
            _tell(outcomes[-1])
    bad = sum(o.status != "passed" for o in outcomes)
    if junit is not None:
        junit.parent.mkdir(parents=True, exist_ok=True)
        junit.write_text(to_junit(outcomes, config.name), "utf-8")
    if json:
        print_json([_entry(o) for o in outcomes])
    else:
        took = sum(o.seconds for o in outcomes)
        print_line(f"{len(outcomes) - bad} passed, {bad} not, {took:.1f} s", bold=True)
    if bad:
        raise typer.Exit(1)


def _tell(outcome: Outcome) -> None:
    case = outcome.case
    if outcome.status == "passed":
        print_line(f"ok     {_shown(case.file)} {case.name}")
        return
    print_line(f"{outcome.status:<6} {_shown(case.file)} {case.name}", bold=True)
    place = outcome.place
    if place is not None:
        file = _shown(Path(place.file)) if place.file else case.file
        print_line(f"  {file}:{place.line}: {outcome.message}")
        if place.text:
            print_line(f"    {place.text.strip()}")
    if outcome.differences:
        print_table(
            None,
            ["column", "expected", "actual"],
            [[d.column, d.expected, d.actual] for d in outcome.differences],
        )


def _shown(path: Path) -> Path:
    """A path as short as it can be said here."""
    absolute = path.resolve()
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else path


def _entry(outcome: Outcome) -> dict[str, Any]:
    return {
        "test": outcome.case.name,
        "file": str(outcome.case.file),
        "status": outcome.status,
        "line": outcome.place.line if outcome.place else outcome.case.line,
        "message": outcome.message,
        "differences": [
            {"column": d.column, "expected": d.expected, "actual": d.actual} for d in outcome.differences
        ],
        "seconds": round(outcome.seconds, 4),
    }
