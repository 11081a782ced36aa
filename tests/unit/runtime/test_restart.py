"""An engine on a durable log that ends in the middle goes on as if it had not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.log.sqlite import SqliteLog
from tests.support.streaming import STREAM_L, STREAM_R, engine, feed, records

QUERIES = [
    "CREATE TABLE O AS SELECT ID, COUNT(*) AS N, SUM(V) AS S FROM L WINDOW HOPPING (SIZE 20 MILLISECONDS, "
    "ADVANCE BY 10 MILLISECONDS, GRACE PERIOD 10 MILLISECONDS) GROUP BY ID HAVING COUNT(*) < 4;",
    "CREATE STREAM O AS SELECT ROWKEY AS K, V, W FROM L FULL OUTER JOIN R WITHIN 20 MILLISECONDS "
    "GRACE PERIOD 5 MILLISECONDS ON L.ID = R.ID;",
]


@pytest.mark.parametrize("statement", QUERIES)
@pytest.mark.parametrize("partitions", [1, 3])
def test_a_new_engine_goes_on(tmp_path: Path, statement: str, partitions: int) -> None:
    rows = [("LR"[i % 3 == 0], f"k{i % 4}", {"V": i % 7, "W": i}, 7 * i + 100) for i in range(60)]
    whole = engine(STREAM_L, STREAM_R, statement, partitions=partitions)
    feed(whole, rows)
    made = engine(STREAM_L, STREAM_R, statement, partitions=partitions, log=SqliteLog(tmp_path / "log.db"))
    for at in range(0, 60, 15):
        feed(made, rows[at : at + 15])
        made.log.close()  # nothing is told that the end has come
        made = Engine(SqliteLog(tmp_path / "log.db"))
    assert sorted(records(made)) == sorted(records(whole))
    made.close()
