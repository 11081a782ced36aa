"""Every record that a real ksqlDB wrote is read and written back byte for byte; whole inputs become its outputs."""

from __future__ import annotations

import base64
import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ksqlkit.engine.catalog import Format
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde import SerdeError, make_deserializer, make_serializer
from tests.support.serde_cases import columns_of

ROOT = Path(os.environ.get("KSQLDB_REFERENCE", Path(__file__).parents[3].parent / "shared" / "ksqldb"))
FILE = ROOT / "oracle" / "scenarios.jsonl"
pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(not FILE.exists(), reason=f"no ksqlDB reference at {ROOT}; set KSQLDB_REFERENCE"),
]


@cache
def scenarios() -> list[dict[str, Any]]:
    with FILE.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def record(item: dict[str, Any], side: str) -> bytes | None:
    if (encoded := item.get(f"{side}_b64")) is not None:
        return base64.b64decode(encoded)
    return None if item[side] is None else item[side].encode()


def split_columns(text: str) -> tuple[list[Column], list[Column]]:
    """Key and value columns of a schema's text."""
    marked = re.sub(r"\b(?:PRIMARY )?KEY\b", "", text)
    keys = {m[1].strip("`") for m in re.finditer(r"(`[^`]+`|\w+) [^,]*? (?:PRIMARY )?KEY\b", text)}
    columns = columns_of(marked)
    return [c for c in columns if c.name in keys], [c for c in columns if c.name not in keys]


def properties(statement: str) -> dict[str, str]:
    found = re.search(r"WITH \((.*?)\)(?: AS|;)", statement)
    assert found
    return {k.upper(): v.strip("'") for k, v in re.findall(r"(\w+)\s*=\s*('[^']*'|\w+)", found[1])}


def format_of(name: str, options: dict[str, str], side: str) -> Format:
    delimiter = options.get(f"{side.upper()}_DELIMITER")
    wrap = options.get("WRAP_SINGLE_VALUE")
    return Format(
        name,
        (("DELIMITER", delimiter),) if delimiter and name == "DELIMITED" else (),
        None if wrap is None or side == "key" else wrap.lower() == "true",
    )


def same_but_for_map_order(left: bytes | None, right: bytes | None) -> bool:
    """Maps made by aggregates leave in an order of their own."""
    return left == right or (left is not None and right is not None and json.loads(left) == json.loads(right))


def test_records_written_by_ksqldb_come_back() -> None:
    count = reordered = 0
    for scenario in scenarios():
        if scenario["area"] == "create-or-replace":
            continue  # early records lack the columns added later
        for sink in [scenario["sink"], *(scenario.get("other_sinks") or [])]:
            made = [s for s in scenario["statements"] if re.search(rf"(STREAM|TABLE) {sink['name']}\b", s)]
            options = properties(made[0])
            for side, columns in zip(("key", "value"), split_columns(sink["schema"]), strict=True):
                format = format_of(sink[f"{side}_format"], options, side)
                read = make_deserializer(format, columns, is_key=side == "key")
                write = make_serializer(format, columns, is_key=side == "key")
                for item in scenario["outputs"]:
                    data = record(item, side)
                    if item["topic"] != sink["name"] or (format.name == "DELIMITED" and data == b""):
                        continue  # a null DELIMITED key is written as nothing, which does not read back
                    written = write(read(data))
                    assert same_but_for_map_order(written, data), (scenario["id"], written, data)
                    reordered += written != data
                    count += 1
    assert count > 9000
    assert reordered < 100


def copies() -> list[dict[str, Any]]:
    if not FILE.exists():
        return []
    plain = re.compile(r"SELECT (\*|K, A, S) FROM S EMIT CHANGES")
    return [s for s in scenarios() if len(s["statements"]) == 2 and plain.search(s["statements"][1])]


@pytest.mark.parametrize("scenario", copies(), ids=lambda s: s["id"])
def test_copying_streams(scenario: dict[str, Any]) -> None:
    source = properties(scenario["statements"][0])
    target = properties(scenario["statements"][1])
    sink = scenario["sink"]
    text = re.search(r"\((.*)\) WITH", scenario["statements"][0])
    assert text
    if "VALUE_FORMAT" not in target and "VALUE_DELIMITER" in source:
        target.setdefault("VALUE_DELIMITER", source["VALUE_DELIMITER"])
    written = []
    columns = dict(zip(("key", "value"), split_columns(text[1]), strict=True))
    defaults = {"key": "KAFKA", "value": "JSON"}
    for item in scenario["inputs"]:
        try:
            pair = []
            for side in ("key", "value"):
                name = source.get(f"{side.upper()}_FORMAT", defaults[side])
                is_key = side == "key"
                row = make_deserializer(format_of(name, source, side), columns[side], is_key=is_key)(
                    record(item, side)
                )
                out = format_of(sink[f"{side}_format"], target, side)
                pair.append(make_serializer(out, columns[side], is_key=is_key)(row))
        except SerdeError:
            continue
        written.append(tuple(pair))
    assert written == [(record(o, "key"), record(o, "value")) for o in scenario["outputs"]]
