"""Parsing and printing ordinary statements."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.result import Benchmark, Result
from ksqlkit.dialect import parse, print_statement

STATEMENTS = 1_000
ROUNDS = 3
_TEXT = (
    "CREATE STREAM ORDERS_{0} (ID STRING KEY, AMOUNT DECIMAL(10, 2), ITEMS ARRAY<STRUCT<NAME STRING, N INT>>, "
    "PLACED TIMESTAMP) WITH (kafka_topic='orders_{0}', value_format='JSON', partitions=4);",
    "CREATE TABLE PER_USER_{0} AS SELECT O.USER_ID, COUNT(*) AS N, SUM(O.AMOUNT * 1.19) AS TOTAL FROM ORDERS_{0} O "
    "WINDOW TUMBLING (SIZE 5 MINUTES, GRACE PERIOD 1 MINUTE) WHERE O.AMOUNT > 10 AND UCASE(O.CITY) LIKE 'B%' "
    "GROUP BY O.USER_ID HAVING COUNT(*) > 3 EMIT CHANGES;",
    "CREATE STREAM ENRICHED_{0} AS SELECT O.ID, U.NAME, CASE WHEN O.AMOUNT > 100 THEN 'large' ELSE 'small' END AS "
    "KIND FROM ORDERS_{0} O LEFT JOIN USERS U ON O.USER_ID = U.ID PARTITION BY O.ID EMIT CHANGES;",
    "INSERT INTO ORDERS_{0} (ID, AMOUNT, ITEMS) VALUES ('o{0}', 12.50, ARRAY[STRUCT(NAME := 'pen', N := 2)]);",
)


def run() -> Iterator[Result]:
    """Seconds for a thousand statements of ordinary size; the aim is under one."""
    text = "\n".join(_TEXT[i % len(_TEXT)].format(i) for i in range(STATEMENTS))
    parsing, printing = [], []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        found = parse(text)
        parsing.append(time.perf_counter() - started)
        assert len(found) == STATEMENTS
        started = time.perf_counter()
        for node in found:
            print_statement(node)
        printing.append(time.perf_counter() - started)
    yield Result("dialect: parse 1,000 statements", round(min(parsing), 3), "s")
    yield Result("dialect: print 1,000 statements", round(min(printing), 3), "s")


BENCHMARKS = (Benchmark("dialect", run),)
