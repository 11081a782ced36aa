"""SHOW FUNCTIONS, DESCRIBE FUNCTION and the messages of refused calls, against recorded answers."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from ksqlkit.engine.functions.registry import FunctionInfo, Registry

pytestmark = pytest.mark.conformance
ROOT = Path(os.environ.get("KSQLDB_REFERENCE") or Path(__file__).resolve().parents[4] / "shared" / "ksqldb")
TRANSCRIPT = ROOT / "transcripts" / "exchanges.jsonl"
REGISTRY = Registry()


@pytest.fixture(scope="module")
def answers() -> list[Any]:
    if not TRANSCRIPT.is_file():
        pytest.skip("no reference data; set KSQLDB_REFERENCE")
    found = []
    with TRANSCRIPT.open(encoding="utf-8") as lines:
        for line in lines:
            body = json.loads(line)["body"]
            if isinstance(body, str) and re.match(r'\[\{"@type":"(describe_function|function_names)"', body):
                found += json.loads(body)
    return found


def _plain(info: FunctionInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "description": info.description,
        "author": info.author,
        "version": info.version,
        "path": info.path,
        "type": info.type,
        "functions": [
            {
                "arguments": [
                    {"name": a.name, "type": a.type, "description": a.description, "isVariadic": a.variadic}
                    for a in v.arguments
                ],
                "returnType": v.returns,
                "description": v.description,
                "argumentTypes": [a.type for a in v.arguments],
            }
            for v in info.variations
        ],
    }


def test_show_functions(answers: list[Any]) -> None:
    recorded = next(a for a in answers if a["@type"] == "function_names")["functions"]
    wanted = {(f["name"], f["type"], f["category"]) for f in recorded if not f["name"].startswith("REF_")}
    assert {(f.name, f.type, f.category) for f in REGISTRY.list()} == wanted


def test_describe_function(answers: list[Any]) -> None:
    described = [a for a in answers if a["@type"] == "describe_function" and not a["name"].startswith("REF_")]
    assert len(described) >= 8
    for answer in described:
        ours = _plain(REGISTRY.describe(answer["name"]))
        assert _shape(ours) == _shape({key: answer[key] for key in ours})


def _shape(value: Any) -> Any:
    """Without descriptions: ours are in our own words."""
    if isinstance(value, dict):
        return {key: _shape(v) for key, v in value.items() if key != "description"}
    return [_shape(v) for v in value] if isinstance(value, list) else value


@pytest.mark.slow
def test_messages_of_refused_calls() -> None:
    if not TRANSCRIPT.is_file():
        pytest.skip("no reference data; set KSQLDB_REFERENCE")
    from tests.conformance.expressions import Oracle, load_cases

    oracle = Oracle(ROOT)
    known = re.compile(
        "Function '|Cannot infer generics|Found invalid instance|Cannot invoke the schema provider"
    )
    cases = [c for c in load_cases(ROOT) if c.expected.error and known.match(c.expected.error)]
    assert len(cases) > 1000
    differing = [c.text for c in cases if oracle.answer(c.text).error != c.expected.error]
    assert not differing
