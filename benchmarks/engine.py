"""The engine, topic to topic on a durable log: rows per second against real ksqlDB on a machine of the same kind."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.log.protocol import Commit, Output
from ksqlkit.engine.log.sqlite import SqliteLog

ROWS = 500_000
USERS = 1_000
ROUNDS = 3  # the best of them counts: other work on the machine only ever slows a round down
START = 1_700_000_000_000
SOURCE = (
    "CREATE STREAM ORDERS (USER_ID STRING KEY, ORDER_ID BIGINT, AMOUNT DOUBLE, CITY STRING, NOTE STRING, "
    "PAID BOOLEAN) WITH (kafka_topic='orders', value_format='JSON', partitions=1);"
)


@dataclass(frozen=True)
class Workload:
    """A query, and what ksqlDB 7.9.1 did with it (rows per second, one stream thread, 2 cores)."""

    name: str
    statement: str
    peer: int


WORKLOADS = (
    Workload(
        "filter and projection",
        "CREATE STREAM RESULT AS SELECT USER_ID, AMOUNT * 2 AS DOUBLED, UCASE(CITY) AS CITY FROM ORDERS "
        "WHERE AMOUNT > 20;",
        77_500,
    ),
    Workload(
        "COUNT and SUM by 1,000 keys",
        "CREATE TABLE RESULT AS SELECT USER_ID, COUNT(*) AS N, SUM(AMOUNT) AS TOTAL FROM ORDERS GROUP BY USER_ID;",
        36_000,
    ),
    Workload(
        "COUNT and SUM by 1,000 keys in 1-minute windows",
        "CREATE TABLE RESULT AS SELECT USER_ID, COUNT(*) AS N, SUM(AMOUNT) AS TOTAL FROM ORDERS "
        "WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY USER_ID;",
        48_000,
    ),
)


def orders(count: int) -> Iterator[Output]:
    """Rows of about 110 bytes, 100 a second."""
    rnd = random.Random(7)
    for i in range(count):
        value = (
            b'{"ORDER_ID":%d,"AMOUNT":%.2f,"CITY":"city_%d",'
            b'"NOTE":"a note that fills the row up to its size","PAID":true}'
            % (i, rnd.random() * 100, i % 100)
        )
        yield Output("orders", 0, START + i * 10, b"user_%d" % rnd.randrange(USERS), value)


def measure(workload: Workload, rows: list[Output]) -> float:
    """Rows per second of one run, from the first poll to the last commit."""
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(SqliteLog(Path(folder) / "log.db"))
        try:
            engine.execute(SOURCE)
            for at in range(0, len(rows), 10_000):
                engine.log.commit(Commit(outputs=rows[at : at + 10_000]))
            engine.execute(workload.statement, properties={"auto.offset.reset": "earliest"})
            started = time.perf_counter()
            engine.run_until_idle()
            return len(rows) / (time.perf_counter() - started)
        finally:
            engine.close()


def run(rows: int = ROWS, rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """One result per workload."""
    data = list(orders(rows))
    results = []
    for workload in WORKLOADS:
        best = max(measure(workload, data) for _ in range(rounds))
        results.append(
            {
                "name": f"engine: {workload.name}",
                "value": round(best),
                "unit": "rows/s",
                "peer": "ksqlDB 7.9.1, one stream thread",
                "peer_value": workload.peer,
                "ratio": round(best / workload.peer, 2),
            }
        )
    return results
