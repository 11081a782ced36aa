"""docs/ksqldb-support.md: what agrees with ksqlDB, by feature, and each difference with its reason.

Made from the reference cases and the files of known gaps, which the tests hold to: a case that is not in them passes,
and one that is in them fails.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.conformance import expressions, replay, scenarios
from tests.conformance.cases import load_cases
from tests.conformance.gaps import load_gaps

PAGE = Path(__file__).resolve().parents[2] / "docs" / "ksqldb-support.md"

_HEAD = """\
# What agrees with ksqlDB

The embedded engine is compared with a real ksqlDB 7.9: with its own query and REST cases, with the answers of a real
server to thousands of expressions, with every record that whole streaming queries produced there, and with recorded
HTTP exchanges. Answers count as equal when they are the same to the byte, the millisecond and the order.

This page is generated: `python -m tests.conformance --docs` writes it. The tests fail when it is out of date, when a
case beyond the differences below fails, and when one of the differences no longer exists.
"""

Counts = dict[str, list[int]]


def page() -> str:
    """The page's text. Raises FileNotFoundError without the reference data."""
    parts = list(_parts())
    lines = [_HEAD, "| compared with | equal | of |", "| --- | ---: | ---: |"]
    for title, _, counts, _ in parts:
        lines.append(
            f"| {title} | {sum(c[0] for c in counts.values()):,} | {sum(c[1] for c in counts.values()):,} |"
        )
    lines += ["", "## Differences, and why", ""]
    for title, _, _, gaps in parts:
        lines += [f"### {title}", "", *_reasons(gaps), ""]
    lines += ["## By feature", ""]
    for title, about, counts, _ in parts:
        lines += [f"### {title}", "", about, "", "| feature | equal | of |", "| --- | ---: | ---: |"]
        lines += [
            f"| {_cell(name)} | {passed} | {total} |" for name, (passed, total) in sorted(counts.items())
        ]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _parts() -> Iterator[tuple[str, str, Counts, list[tuple[str, str]]]]:
    """Title, explanation, counts by feature, and (case, reason) of each difference."""
    known = load_gaps()
    for kind, title, about in (
        (
            "query",
            "Query cases",
            "Statements, input records and the records that must come out, one run a format.",
        ),
        ("rest", "REST cases", "Requests with their answers: inserts, pull and push queries, errors."),
    ):
        cases = [(c.id, c.feature) for c in load_cases(kind)]
        yield title, about, *_counted(cases, {k.removeprefix(f"{kind}/"): r for k, r in known.items()})
    root = expressions.reference()
    assert root is not None
    found = [(c.id, c.group.partition(":")[0], c.text) for c in expressions.load_cases(root)]
    texts = {number: text for number, _, text in found}
    counts, gaps = _counted([(n, g) for n, g, _ in found], expressions.load_gaps())
    yield (
        "Expressions",
        "Functions, operators, casts and literals: the type and the value of each over six rows.",
        counts,
        [(texts[int(number)], reason) for number, reason in gaps],
    )
    yield (
        "Streaming queries",
        "Whole queries over recorded input: joins, windows with late records, aggregates, formats.",
        *_counted([(s["id"], s["area"]) for s in scenarios.load()], scenarios.gaps()),
    )
    yield (
        "HTTP exchanges",
        "Requests to a real server in the order they were made, and what it answered, by endpoint.",
        *_counted(
            [
                (f"{e['id']}", "/" + e["path"].strip("/").partition("/")[0].partition("?")[0].rstrip(":"))
                for e in replay.load()
            ],
            replay.gaps(),
        ),
    )


def _counted(
    cases: Iterable[tuple[object, str]], known: Mapping[Any, str]
) -> tuple[Counts, list[tuple[str, str]]]:
    """[equal, all] by feature, and (case, reason) of those that are known to differ."""
    counts: Counts = defaultdict(lambda: [0, 0])
    gaps = []
    for case, feature in cases:
        counts[feature][1] += 1
        if case in known:
            gaps.append((str(case), known[case]))
        else:
            counts[feature][0] += 1
    return counts, gaps


def _reasons(gaps: list[tuple[str, str]]) -> Iterator[str]:
    """A list item a reason, with its cases."""
    if not gaps:
        yield "None."
    for reason in Counter(reason for _, reason in gaps):
        cases = [f"`{case}`" for case, why in gaps if why == reason]
        yield f"- {reason.rstrip('.')}: {', '.join(cases)}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
