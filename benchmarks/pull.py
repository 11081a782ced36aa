"""Pull queries by key over HTTP, on one connection and on sixteen, against a real server doing the same."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

from benchmarks.result import Benchmark, Result
from benchmarks.server import KSQLDB_SERVER, produce, running_server, statement

SECONDS = 4.0
KEYS = 1_000


def _prepare(url: str) -> None:
    """A table of three rows a key, complete when this returns."""
    statement(
        url,
        "CREATE STREAM ORDERS (USER_ID STRING KEY, AMOUNT DOUBLE) WITH (kafka_topic='orders', value_format='JSON', "
        "partitions=1); CREATE TABLE TOTALS AS SELECT USER_ID, COUNT(*) AS N, SUM(AMOUNT) AS TOTAL FROM ORDERS "
        "GROUP BY USER_ID;",
    )
    produce(url, "orders", [(b"user_%d" % (i % KEYS), b'{"AMOUNT":%d}' % i) for i in range(3 * KEYS)])
    deadline = time.monotonic() + 20
    while (found := _ask(HTTPConnection(url.removeprefix("http://")), KEYS - 1)) != 3:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def _ask(connection: HTTPConnection, number: int) -> int:
    """How many rows a user has; 0 while the table does not know it."""
    sql = f"SELECT USER_ID, N, TOTAL FROM TOTALS WHERE USER_ID = 'user_{number}';"
    connection.request("POST", "/query-stream", json.dumps({"sql": sql}), {"accept": "application/json"})
    rows = json.loads(connection.getresponse().read())
    return int(rows[1][1]) if len(rows) > 1 else 0


def _loop(url: str, until: float, number: int) -> list[float]:
    """Seconds of each query of one connection."""
    taken = []
    connection = HTTPConnection(url.removeprefix("http://"))
    while (started := time.perf_counter()) < until:
        number += 1
        assert _ask(connection, number % KEYS) == 3
        taken.append(time.perf_counter() - started)
    connection.close()
    return taken


def run() -> Iterator[Result]:
    """Queries per second, and the median time of one."""
    with running_server() as server:
        _prepare(server.url)
        for connections, peer in ((1, 260), (16, 380)):
            until = time.perf_counter() + SECONDS
            started = time.perf_counter()
            with ThreadPoolExecutor(connections) as pool:
                jobs = [pool.submit(_loop, server.url, until, 61 * c) for c in range(connections)]
                taken = [seconds for job in jobs for seconds in job.result()]
            rate = len(taken) / (time.perf_counter() - started)
            name = f"pull query by key, {connections} connection{'s' * (connections > 1)}"
            yield Result(name, round(rate), "queries/s", KSQLDB_SERVER, peer)
            if connections == 1:
                yield Result(
                    f"{name}, median", round(statistics.median(taken) * 1000, 2), "ms", KSQLDB_SERVER, 3.3
                )


BENCHMARKS = (Benchmark("pull query by key", run),)
