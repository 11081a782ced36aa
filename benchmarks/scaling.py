"""What the cost does as rows, keys, columns and queries grow by ten: the slope in log-log, 1 where it grows alike."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Iterator, Sequence

import orjson

from benchmarks.data import ORDERS, START, durable_engine, orders, write
from benchmarks.result import Benchmark, Result
from ksqlkit.engine.log.protocol import Output

ROUNDS = 3
ROWS = 30_000
_TOTALS = "CREATE TABLE RESULT{} AS SELECT USER_ID, COUNT(*) AS N, SUM(AMOUNT) AS TOTAL FROM ORDERS GROUP BY USER_ID;"


def _seconds(source: str, queries: Sequence[str], rows: Sequence[Output]) -> float:
    """The quickest of some rounds."""
    best = math.inf
    for _ in range(ROUNDS):
        with durable_engine() as engine:
            engine.execute(source)
            write(engine, rows)
            for query in queries:
                engine.execute(query)
            gc.collect()
            gc.freeze()
            started = time.perf_counter()
            engine.run_until_idle()
            best = min(best, time.perf_counter() - started)
            gc.unfreeze()
    return best


def _slope(what: str, small: float, large: float) -> Result:
    return Result(f"scaling: cost by {what}", round(math.log10(large / small), 2), "slope")


def rows() -> Iterator[Result]:
    """Ten times the rows."""
    data = list(orders(10 * ROWS))
    yield _slope(
        "rows",
        _seconds(ORDERS, [_TOTALS.format("")], data[:ROWS]),
        _seconds(ORDERS, [_TOTALS.format("")], data),
    )


def keys() -> Iterator[Result]:
    """The same rows over ten times the keys."""
    few, many = (list(orders(2 * ROWS, users=n)) for n in (1_000, 10_000))
    yield _slope(
        "keys", _seconds(ORDERS, [_TOTALS.format("")], few), _seconds(ORDERS, [_TOTALS.format("")], many)
    )


def columns() -> Iterator[Result]:
    """Ten times the columns, all of them read and written."""
    times = []
    for count in (5, 50):
        names = [f"C{i}" for i in range(count)]
        declared = ", ".join(f"{n} BIGINT" for n in names)
        source = (
            f"CREATE STREAM ORDERS (K STRING KEY, {declared}) "
            "WITH (kafka_topic='orders', value_format='JSON', partitions=1);"
        )
        query = (
            f"CREATE STREAM RESULT AS SELECT K, {', '.join(f'{n} + 1 AS {n}' for n in names)} FROM ORDERS;"
        )
        data = [
            Output("orders", 0, START + i, b"k", orjson.dumps({n: i + j for j, n in enumerate(names)}))
            for i in range(ROWS)
        ]
        times.append(_seconds(source, [query], data))
    yield _slope("columns", *times)


def queries() -> Iterator[Result]:
    """Ten times the queries over one stream."""
    data = list(orders(ROWS))
    few, many = ([_TOTALS.format(i) for i in range(n)] for n in (1, 10))
    yield _slope("queries", _seconds(ORDERS, few, data), _seconds(ORDERS, many, data))


BENCHMARKS = tuple(Benchmark(f"scaling: cost by {f.__name__}", f) for f in (rows, keys, columns, queries))
