"""Streaming scenarios recorded from a real ksqlDB: whole queries, with every record that came out, byte for byte."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.log.protocol import Record
from ksqlkit.errors import KsqlkitError
from tests.conformance.cases import reference

EARLIEST = {"auto.offset.reset": "earliest"}
GAPS = Path(__file__).with_name("gaps_scenarios.txt")
Plain = tuple[int, bytes | None, bytes | None, tuple[Any, ...]]  # timestamp, key, value, headers


def load() -> list[dict[str, Any]]:
    """All scenarios; empty without the reference data."""
    root = reference()
    if root is None:
        return []
    text = (root / "oracle" / "scenarios.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def gaps() -> dict[str, str]:
    """Known gaps: scenario id -> reason."""
    lines = GAPS.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(maxsplit=1) for line in lines if line.strip() and not line.startswith("#"))
    return {line[0]: line[1] for line in pairs}


def run(scenario: dict[str, Any]) -> dict[str, list[Record]]:
    """Feed a scenario as it was recorded; returns the records of its sinks by topic."""
    with_engine = Engine(properties={"ksql.logging.processing.stream.auto.create": False})
    try:
        _FEEDERS[scenario["how"]](with_engine, scenario)
        topics = {o["topic"] for o in scenario["outputs"]} | {"OUT"}
        return {topic: with_engine.read(topic, 0, 0, 1_000_000) for topic in topics}
    finally:
        with_engine.close()


def _execute(engine: Engine, statement: str) -> None:
    engine.execute(statement, properties=EARLIEST)


def _feed(engine: Engine, record: dict[str, Any]) -> None:
    engine.produce(
        record["topic"],
        _bytes(record, "key"),
        _bytes(record, "value"),
        timestamp=record["timestamp"],
        partition=0,
        headers=_headers(record),
    )


def _preload(engine: Engine, scenario: dict[str, Any]) -> None:
    """All input is there before the queries start."""
    sources = [s for s in scenario["statements"] if " AS SELECT" not in s and not s.startswith("INSERT")]
    for statement in sources:
        _execute(engine, statement)
    for record in scenario["inputs"]:
        _feed(engine, record)
    for statement in scenario["statements"]:
        if statement not in sources:
            _execute(engine, statement)
    engine.run_until_idle()


def _one_by_one(engine: Engine, scenario: dict[str, Any]) -> None:
    """Each record is processed completely before the next."""
    for statement in scenario["statements"]:
        _execute(engine, statement)
    for record in scenario["inputs"]:
        _feed(engine, record)
        engine.run_until_idle()


def _steps(engine: Engine, scenario: dict[str, Any]) -> None:
    """Statements and records alternate; each step is processed completely."""
    done = 0
    statements = scenario["statements"]
    for record in [*scenario["inputs"], {"after": len(statements)}]:
        while done < record["after"]:
            engine.run_until_idle()
            _execute(engine, statements[done])
            done += 1
        if "topic" in record:
            _feed(engine, record)
    engine.run_until_idle()


_FEEDERS = {"preload": _preload, "one-by-one": _one_by_one, "steps": _steps}


def _bytes(record: dict[str, Any], part: str) -> bytes | None:
    if f"{part}_b64" in record:
        return base64.b64decode(record[f"{part}_b64"])
    text = record.get(part)
    return None if text is None else text.encode()


def _headers(record: dict[str, Any]) -> tuple[tuple[str, bytes | None], ...]:
    return tuple((n, None if t is None else t.encode()) for n, t in record.get("headers") or ())


def _expected(output: dict[str, Any]) -> Plain:
    key, window = _bytes(output, "key"), output.get("window")
    for bound in ("end", "start"):
        if window and bound in window:
            key = (key or b"") + window[bound].to_bytes(8, "big")
    return output["timestamp"], key, _bytes(output, "value"), _headers(output)


def difference(scenario: dict[str, Any]) -> str | None:
    """Run a scenario; the first record that is not as recorded, or None where all are."""
    try:
        got = run(scenario)
    except KsqlkitError as error:
        return f"{type(error).__name__}: {error.message}"
    wanted: dict[str, list[Plain]] = defaultdict(list)
    for output in scenario["outputs"]:
        wanted[output["topic"]].append(_expected(output))
    for topic, records in got.items():
        actual: list[Plain] = [(r.timestamp, r.key, r.value, tuple(r.headers)) for r in records]
        expected = wanted[topic]
        if actual != expected:
            pairs = zip(actual, expected, strict=False)
            shorter = min(len(actual), len(expected))
            at = next((i for i, (a, e) in enumerate(pairs) if a != e), shorter)
            return (
                f"{topic}[{at}] of {len(actual)}, {len(expected)} expected: "
                f"{actual[at : at + 1]} instead of {expected[at : at + 1]}"
            )
    return None


def report() -> dict[str, Any]:
    """Counts by area, for `make conformance`."""
    features: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for scenario in load():
        features[scenario["area"]][0] += difference(scenario) is None
        features[scenario["area"]][1] += 1
    passed = sum(p for p, _ in features.values())
    total = sum(t for _, t in features.values())
    return {
        "passed": passed,
        "failed": total - passed,
        "total": total,
        "features": dict(sorted(features.items())),
    }
