"""AI functions in SQL, through the engine, the registry, the client and the service; only the network is left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from ksqlkit.dialect import parse
from ksqlkit.engine.engine import Engine
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.scoring import ScoringClient
from udf_server.catalog import Catalog
from udf_server.inprocess import InProcess

FUNCTIONS = """
from udf_server import function

sizes = []

@function("RISK(amount DOUBLE, visits BIGINT) -> DOUBLE", nulls="call")
def risk(amounts, visits):
    sizes.append(len(amounts))
    return [a / v for a, v in zip(amounts, visits)]

@function("CALLS(x BIGINT) -> BIGINT")
def calls(xs):
    return [len(sizes)] * len(xs)
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    (tmp_path / "mine.py").write_text(FUNCTIONS)
    with ScoringClient("http://in.process", transport=InProcess(tmp_path / "models", tmp_path)) as client:
        registry = Registry()
        client.register_into(registry)
        yield Engine(functions=registry)


def rows_of(engine: Engine, topic: str) -> list[object]:
    return [r.value and orjson.loads(r.value) for r in engine.read(topic, 0, 0)]


def test_a_stream_is_scored_in_one_call_and_bad_rows_are_null(engine: Engine) -> None:
    engine.execute(
        "CREATE STREAM TX (ID INT KEY, AMOUNT DOUBLE, VISITS BIGINT) "
        "WITH (KAFKA_TOPIC='tx', VALUE_FORMAT='JSON', PARTITIONS=1);"
        "CREATE STREAM SCORED AS SELECT ID, RISK(AMOUNT, VISITS) AS RISK, "
        "RISK_DETAIL(AMOUNT, VISITS)->STATUS AS STATUS FROM TX "
        "WHERE RISK(AMOUNT, VISITS) IS NULL OR RISK(AMOUNT, VISITS) > 1 EMIT CHANGES;"
    )
    for number, (amount, visits) in enumerate([(10, 2), (1, 2), (5, 0), (9, 3)]):
        engine.execute(f"INSERT INTO TX (ID, AMOUNT, VISITS) VALUES ({number}, {amount}, {visits});")
    engine.run_until_idle()
    assert rows_of(engine, "SCORED") == [
        {"RISK": 5.0, "STATUS": "OK"},
        {"RISK": None, "STATUS": "INVALID_INPUT"},
        {"RISK": 3.0, "STATUS": "OK"},
    ]


def test_text_functions_and_structs_work_in_sql(engine: Engine) -> None:
    engine.execute(
        "CREATE STREAM M (ID INT KEY, BODY STRING) WITH (KAFKA_TOPIC='m', VALUE_FORMAT='JSON', PARTITIONS=1);"
        "CREATE STREAM N AS SELECT ID, CLASSIFY(BODY, ARRAY['lost card', 'refund']) AS KIND, "
        "SENTIMENT(BODY)->LABEL AS MOOD, FORECAST(ARRAY[1.0, 2.0, 3.0], 2)[1]->STEP AS STEP FROM M EMIT CHANGES;"
        "INSERT INTO M (ID, BODY) VALUES (1, 'I lost my card, this is terrible!');"
        "INSERT INTO M (ID, BODY) VALUES (2, 'Thank you for the money back, great!');"
    )
    engine.run_until_idle()
    assert rows_of(engine, "N") == [
        {"KIND": "lost card", "MOOD": "NEGATIVE", "STEP": 1},
        {"KIND": "refund", "MOOD": "POSITIVE", "STEP": 1},
    ]


def test_every_shipped_example_is_ksqldb_sql(tmp_path: Path) -> None:
    found = [f for f in Catalog().functions.values() if f.origin == "udf_server"]
    assert len(found) >= 5
    for shipped in found:
        assert shipped.description
        assert f"{shipped.name}(" in shipped.example
        parse(shipped.example)
