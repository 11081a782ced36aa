"""`make conformance`: run every case, print passed/total by feature, write build/conformance.json.

Optional arguments: names of kinds (query, rest, rest_http1, rest_http2) or of features to run only those; then nothing
is written. With `--docs` nothing runs: docs/ksqldb-support.md is made from the cases and the known gaps.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from tests.conformance import docs, query, rest, sockets
from tests.conformance.cases import Case, load_cases, reference

Run = Callable[[list[Case]], Iterable[tuple[Case, query.Outcome]]]
RUNNERS: dict[str, tuple[str, Run]] = {  # name in the report -> kind of the cases, how they are run
    "query": ("query", lambda cases: ((c, query.run_case(c)) for c in cases)),
    "rest": ("rest", lambda cases: ((c, rest.run_case(c)) for c in cases)),
    "rest_http1": ("rest", partial(sockets.run_cases, http2=False)),
    "rest_http2": ("rest", partial(sockets.run_cases, http2=True)),
}
OUTPUT = Path(__file__).resolve().parents[2] / "build" / "conformance.json"


def run_kind(name: str, only: set[str]) -> tuple[dict[str, Any], list[tuple[Case, query.Outcome]]]:
    """All cases of a kind: the counts for the report, and the outcomes."""
    kind, run = RUNNERS[name]
    features: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    messages: Counter[bool] = Counter()
    outcomes = []
    cases = [c for c in load_cases(kind) if not only or name in only or c.feature in only]
    for case, outcome in run(cases):
        outcomes.append((case, outcome))
        features[case.feature][0] += outcome.passed
        features[case.feature][1] += 1
        if outcome.message_agrees is not None:
            messages[outcome.message_agrees] += 1
    passed = sum(o.passed for _, o in outcomes)
    report = {
        "passed": passed,
        "failed": len(outcomes) - passed,
        "total": len(outcomes),
        "features": dict(sorted(features.items())),
        "messages": {"agree": messages[True], "total": sum(messages.values())},
    }
    return report, outcomes


def others() -> dict[str, Any]:
    """Reports of the runners beside these, where they are: `report()` of expressions.py and scenarios.py."""
    found = {}
    for name in ("expressions", "scenarios"):
        if not Path(__file__).with_name(f"{name}.py").exists():
            continue
        module = importlib.import_module(f"tests.conformance.{name}")
        if hasattr(module, "report"):
            found[name] = module.report()
    return found


def main(arguments: list[str]) -> int:
    """Run and report; 2 when there is no reference data, else 0."""
    if reference() is None:
        print("No reference data: set KSQLDB_REFERENCE or put it at ../shared/ksqldb", file=sys.stderr)
        return 2
    if arguments == ["--docs"]:
        docs.PAGE.parent.mkdir(exist_ok=True)
        docs.PAGE.write_text(docs.page(), encoding="utf-8")
        print(f"wrote {docs.PAGE.relative_to(docs.PAGE.parents[1])}")
        return 0
    only = set(arguments)
    reports: dict[str, Any] = {}
    for kind, (of, _) in RUNNERS.items():
        started = time.perf_counter()
        report, outcomes = run_kind(kind, only)
        reports[kind] = report
        for feature, (passed, total) in report["features"].items() if kind == of else ():
            print(f"{kind:6} {feature:45} {passed:4}/{total}")
        reasons = Counter(o.reason[:120] for _, o in outcomes if not o.passed)
        for reason, count in reasons.most_common(15 if not only else 200):
            print(f"       {count:4}  {reason}")
        seconds = time.perf_counter() - started
        agree = report["messages"]
        print(
            f"{kind}: {report['passed']}/{report['total']} passed, "
            f"{agree['agree']}/{agree['total']} messages of rejections agree ({seconds:.1f} s)"
        )
    if not only:
        reports |= others()
        for name in ("expressions", "scenarios"):
            if name in reports:
                print(f"{name}: {reports[name]['passed']}/{reports[name]['total']} passed")
        OUTPUT.parent.mkdir(exist_ok=True)
        OUTPUT.write_text(json.dumps(reports, indent=1) + "\n", encoding="utf-8")
        print(f"wrote {OUTPUT.relative_to(OUTPUT.parents[1])}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
