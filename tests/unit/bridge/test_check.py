from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from ksqlkit.bridge import check
from ksqlkit.client.embedded import EmbeddedClient
from ksqlkit.engine.engine import Engine
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.engine.log.memory import MemoryLog
from udf_server.service import Service


@pytest.fixture
def entries(tmp_path: Path) -> list[dict[str, Any]]:
    manifest: list[dict[str, Any]] = orjson.loads(Service(tmp_path / "models").manifest.body)["functions"]
    return manifest


class _NoCall:
    def call(self, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        return [None] * len(rows)


def _client(entries: list[dict[str, Any]]) -> EmbeddedClient:
    functions = Registry()
    for entry in entries:
        functions.register_remote(
            entry["name"], entry["overloads"], _NoCall(), description="d", version="1", author="ksqlkit"
        )
    return EmbeddedClient(Engine(log=MemoryLog(), functions=functions))


@pytest.fixture
def client(entries: list[dict[str, Any]]) -> Iterator[EmbeddedClient]:
    opened = _client(entries)
    yield opened
    opened.close()


def test_a_server_with_the_manifests_functions_is_well(
    client: EmbeddedClient, entries: list[dict[str, Any]]
) -> None:
    found = check(client, entries)
    assert {f.state for f in found} == {"ok"}
    assert {f.name for f in found} == {e["name"] for e in entries}


def test_what_differs_is_said(client: EmbeddedClient, entries: list[dict[str, Any]]) -> None:
    changed = copy.deepcopy(entries)
    (sentiment,) = (e for e in changed if e["name"] == "SENTIMENT")
    sentiment["overloads"][0]["args"][0]["type"] = "BIGINT"
    newer = {**copy.deepcopy(sentiment), "name": "NEWER"}
    gone = [e for e in changed if e["name"] != "CLASSIFY"]
    states = {f.name: f for f in check(client, [*gone, newer]) if f.state != "ok"}
    assert {n: f.state for n, f in states.items()} == {
        "SENTIMENT": "changed",
        "NEWER": "missing",
        "CLASSIFY": "gone",
    }
    assert "lacks (BIGINT) -> STRUCT<LABEL VARCHAR,SCORE DOUBLE>" in states["SENTIMENT"].detail
    assert "functions build" in states["NEWER"].advice


class _Recorded:
    """Answers as a real server's DESCRIBE FUNCTION spells types."""

    def execute(self, sql: str, **_: Any) -> list[dict[str, Any]]:
        if sql.startswith("SHOW"):
            return [{"functions": [{"name": "TAX"}, {"name": "ABS"}]}]
        arguments = [
            {"name": "a", "type": "DECIMAL", "isVariadic": False},
            {"name": "b", "type": "INT", "isVariadic": True},
        ]
        returns = "STRUCT<`N` INTEGER, `D` DECIMAL(9, 2)>"
        return [{"author": "ksqlkit", "functions": [{"arguments": arguments, "returnType": returns}]}]


def test_ksqldbs_spelling_of_types_is_no_difference() -> None:
    overload = {
        "args": [{"name": "A", "type": "DECIMAL(9, 2)"}, {"name": "B", "type": "INTEGER"}],
        "variadic": True,
        "returns": "STRUCT<N INTEGER, D DECIMAL(9, 2)>",
    }
    found = check(_Recorded(), [{"name": "TAX", "overloads": [overload]}])  # type: ignore[arg-type]
    assert [f.state for f in found] == ["ok"], found
