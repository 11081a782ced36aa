"""The offline features are what the engine's SQL computes, record by record."""

from __future__ import annotations

import orjson
import pytest

from ksqlkit.datagen import transactions
from ksqlkit.engine.engine import Engine
from udf_server.features import FRAUD_WINDOWS, WindowSpec, windowed_features


@pytest.mark.parametrize("spec", FRAUD_WINDOWS, ids=lambda s: s.count)
def test_sql_windows_give_the_same_numbers(spec: WindowSpec) -> None:
    rows = list(transactions(800, seed=2))
    engine = Engine()
    engine.execute(
        "CREATE STREAM TX (TX_ID BIGINT, TX_TIME BIGINT, CUSTOMER_ID BIGINT, TERMINAL_ID BIGINT, AMOUNT DOUBLE) "
        "WITH (KAFKA_TOPIC='tx', VALUE_FORMAT='JSON', PARTITIONS=1, TIMESTAMP='TX_TIME');"
        f"CREATE TABLE F WITH (PARTITIONS=1) AS SELECT {spec.key}, LATEST_BY_OFFSET(TX_ID) AS TX_ID, COUNT(*) AS N, "
        f"SUM({spec.value}) AS S FROM TX WINDOW TUMBLING (SIZE {spec.width_ms // 60_000} MINUTES) "
        f"GROUP BY {spec.key} EMIT CHANGES;"
    )
    for row in rows:
        engine.produce("tx", None, orjson.dumps(row), timestamp=row["TX_TIME"])
    engine.run_until_idle()
    got = {
        v["TX_ID"]: (v["N"], v["S"]) for v in (orjson.loads(r.value or b"{}") for r in engine.read("F", 0, 0))
    }
    expected = windowed_features(rows, [spec])
    assert len(got) == len(rows)
    pairs = zip(rows, expected[spec.count], expected[spec.total], strict=True)
    assert {row["TX_ID"]: (n, s) for row, n, s in pairs} == got
