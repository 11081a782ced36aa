"""The functions that come with the server, called from SQL through the engine."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import orjson
import pytest

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.scoring import ScoringClient
from udf_server.inprocess import InProcess
from udf_server.models.store import ModelStore


@pytest.mark.slow
def test_features_as_a_struct_and_texts_in_sql(tmp_path: Path) -> None:
    out = io.BytesIO()
    np.savez(out, weights=np.array([1.0, 2.0]), intercept=np.array(0.0), means=np.zeros(2))
    ModelStore(tmp_path).publish(
        "fraud", out.getvalue(), kind="linear", file="model.npz", features=["AMOUNT", "NIGHT"]
    )
    with ScoringClient("http://in.process", transport=InProcess(tmp_path)) as client:
        registry = Registry()
        client.register_into(registry)
        engine = Engine(functions=registry)
        engine.execute(
            "CREATE STREAM TX (ID INT KEY, AMOUNT DOUBLE, NIGHT BOOLEAN, BODY VARCHAR) "
            "WITH (KAFKA_TOPIC='tx', VALUE_FORMAT='JSON', PARTITIONS=1);"
            "CREATE STREAM SCORED AS SELECT ID, "
            "FRAUD_SCORE(STRUCT(NIGHT := NIGHT, AMOUNT := AMOUNT)) AS BY_NAME, "
            "FRAUD_SCORE_DETAIL(STRUCT(AMOUNT := AMOUNT))->ATTRIBUTIONS['AMOUNT'] AS PART, "
            "MODERATE(BODY)->FLAGGED AS FLAGGED, PAYLOAD_THREAT(BODY)->KIND AS KIND, "
            "ARRAY_LENGTH(EMBED(BODY)) AS WIDTH, CLASSIFY('none', BODY) AS LABEL "
            "FROM TX EMIT CHANGES;"
        )
        for row in (
            "1, 1.0, false, 'thank you'",
            "2, 0.5, true, 'you idiot'' or 1=1 --'",
            "3, NULL, NULL, 'x'",
        ):
            engine.execute(f"INSERT INTO TX (ID, AMOUNT, NIGHT, BODY) VALUES ({row});")
        engine.run_until_idle()
        first, second, third = (orjson.loads(r.value or b"{}") for r in engine.read("SCORED", 0, 0))
    assert round(first["BY_NAME"], 4) == round(1 / (1 + np.exp(-1.0)), 4)
    assert round(second["BY_NAME"], 4) == round(1 / (1 + np.exp(-2.5)), 4)
    assert third["BY_NAME"] == 0.5
    assert second["PART"] == 0.5
    assert (first["FLAGGED"], first["KIND"], first["WIDTH"], first["LABEL"]) == (False, None, 256, None)
    assert (second["FLAGGED"], second["KIND"]) == (True, "sqli")
