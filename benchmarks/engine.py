"""Queries from topic to topic on a durable log: input rows per second, in process."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial

from benchmarks.data import ORDERS, RETURNS, USERS_TABLE, durable_engine, orders, users, write
from benchmarks.result import KSQLDB, Benchmark, Result
from ksqlkit.engine.log.protocol import Output

ROWS = 500_000
ROUNDS = 3  # the best of them counts: other work on the machine only ever slows a round down


@dataclass(frozen=True)
class Workload:
    """Statements, the last of them the query; `peer` is the upper end of what ksqlDB 7.9.1 did with it."""

    name: str
    statements: tuple[str, ...]
    peer: int | None = None
    rows: int = ROWS
    sides: bool = False  # half of the rows go to a second stream


FORMATS = ("JSON", "JSON_SR", "AVRO", "PROTOBUF", "PROTOBUF_NOSR", "DELIMITED")
_TOTALS = "CREATE TABLE RESULT AS SELECT USER_ID, COUNT(*) AS N, SUM(AMOUNT) AS TOTAL FROM ORDERS {} GROUP BY USER_ID;"

WORKLOADS = (
    Workload(
        "filter and projection",
        (
            ORDERS,
            "CREATE STREAM RESULT AS SELECT USER_ID, AMOUNT * 2 AS DOUBLED, UCASE(CITY) AS CITY FROM ORDERS "
            "WHERE AMOUNT > 20;",
        ),
        87_000,
    ),
    Workload("COUNT and SUM by 1,000 keys", (ORDERS, _TOTALS.format("")), 38_000),
    Workload(
        "COUNT and SUM by 1,000 keys in 1-minute windows",
        (ORDERS, _TOTALS.format("WINDOW TUMBLING (SIZE 1 MINUTE)")),
        51_000,
    ),
    Workload(
        "COUNT and SUM in hopping windows, 1 minute by 20 seconds",
        (ORDERS, _TOTALS.format("WINDOW HOPPING (SIZE 1 MINUTE, ADVANCE BY 20 SECONDS)")),
        rows=200_000,
    ),
    Workload(
        "COUNT and SUM in session windows of 5 seconds",
        (ORDERS, _TOTALS.format("WINDOW SESSION (5 SECONDS)")),
        rows=200_000,
    ),
    Workload(
        "stream-table join",
        (
            ORDERS,
            USERS_TABLE,
            "CREATE STREAM RESULT AS SELECT O.USER_ID, ORDER_ID, AMOUNT, NAME FROM ORDERS O "
            "LEFT JOIN USERS U ON O.USER_ID = U.USER_ID;",
        ),
    ),
    Workload(
        "stream-stream join within 10 seconds",
        (
            ORDERS,
            RETURNS,
            "CREATE STREAM RESULT AS SELECT O.USER_ID, O.ORDER_ID, R.ORDER_ID AS RETURN_ID, R.AMOUNT FROM ORDERS O "
            "JOIN RETURNS R WITHIN 10 SECONDS GRACE PERIOD 1 MINUTE ON O.USER_ID = R.USER_ID;",
        ),
        rows=200_000,
        sides=True,
    ),
    *(
        Workload(
            f"filter and projection, {name} to {name}",
            (
                ORDERS,
                f"CREATE STREAM WRITTEN WITH (value_format='{name}') AS SELECT * FROM ORDERS;",
                f"CREATE STREAM RESULT WITH (value_format='{name}') AS SELECT USER_ID, ORDER_ID, "
                "AMOUNT * 2 AS DOUBLED, UCASE(CITY) AS CITY, NOTE, PAID FROM WRITTEN WHERE AMOUNT > 20;",
            ),
            rows=200_000,
        )
        for name in FORMATS
    ),
)


@cache
def _orders(count: int, topic: str, seed: int) -> list[Output]:
    return list(orders(count, topic=topic, seed=seed))


def rows_of(workload: Workload) -> list[Sequence[Output]]:
    """What lies in the topics before the query starts."""
    if workload.sides:
        half = workload.rows // 2
        return [_orders(half, "orders", 7), _orders(half, "returns", 8)]
    tables = [list(users())] if USERS_TABLE in workload.statements else []
    return [*tables, _orders(workload.rows, "orders", 7)]


def measure(workload: Workload) -> tuple[float, float]:
    """Rows a second, and a second of processor time, of one run: from the query's start to its last commit."""
    data = rows_of(workload)
    with durable_engine() as engine:
        for statement in workload.statements[:-1]:
            engine.execute(statement)
        for rows in data:
            write(engine, rows)
        engine.run_until_idle()  # queries that prepare the data
        gc.collect()
        gc.freeze()  # the rows above are ours, not the engine's: its collector need not look at them
        started, worked = time.perf_counter(), time.process_time()
        engine.execute(workload.statements[-1])
        read = engine.run_until_idle()
        seconds, busy = time.perf_counter() - started, time.process_time() - worked
        gc.unfreeze()
        assert read == sum(map(len, data))
        return workload.rows / seconds, workload.rows / busy


def run(workload: Workload) -> Iterator[Result]:
    """The best of some rounds. On a busy machine the second figure says what the first would be on an idle one."""
    rates = [measure(workload) for _ in range(ROUNDS)]
    name, peer = f"engine: {workload.name}", KSQLDB if workload.peer else None
    yield Result(name, round(max(wall for wall, _ in rates)), "rows/s", peer, workload.peer)
    yield Result(f"{name}, of processor time", round(max(busy for _, busy in rates)), "rows/s")


BENCHMARKS = tuple(Benchmark(f"engine: {w.name}", partial(run, w)) for w in WORKLOADS)
