"""Outcomes as JUnit XML, which CI systems read."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from ksqlkit.testing.run import Outcome


def to_junit(outcomes: Sequence[Outcome], name: str) -> str:
    """One <testsuite> with a <testcase> for each test."""
    count = {kind: sum(o.status == kind for o in outcomes) for kind in ("failed", "error")}
    suite = ET.Element(
        "testsuite",
        name=name,
        tests=str(len(outcomes)),
        failures=str(count["failed"]),
        errors=str(count["error"]),
        time=f"{sum(o.seconds for o in outcomes):.3f}",
    )
    for outcome in outcomes:
        case = outcome.case
        made = ET.SubElement(
            suite,
            "testcase",
            classname=case.file.stem,
            name=_xml(case.name),
            file=str(case.file),
            line=str(case.line),
            time=f"{outcome.seconds:.3f}",
        )
        if outcome.status != "passed":
            kind = "failure" if outcome.status == "failed" else "error"
            found = ET.SubElement(made, kind, message=_xml(outcome.message))
            lines = [
                str(outcome.place),
                *(f"{d.column}: expected {d.expected}, got {d.actual}" for d in outcome.differences),
            ]
            found.text = _xml("\n".join(lines))
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _xml(text: str) -> str:
    """Without the characters that XML does not allow."""
    return "".join(c if c >= " " or c in "\t\n\r" else "\ufffd" for c in text)
