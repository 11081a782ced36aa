"""FRAUD_SCORE over a Kafka topic: `ksqlkit process` with results and offsets in transactions, beside one POST a row to
the same scoring server. Needs Java, and Maven once: the broker is a real one, of this machine."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.bridge import FEATURES, TREES, publish_model
from benchmarks.result import Benchmark, Result

ROWS = 300_000
POSTS = 2.0  # seconds of single posts, before and after
NAMES = [f"F{i}" for i in range(FEATURES)]
ROOT = Path(__file__).parents[1]


def one_post_a_row(url: str, rows: list[list[float]], seconds: float) -> float:
    """Rows a second over one kept connection, as a function in ksqlDB calls that knows no better."""
    connection = HTTPConnection(url.removeprefix("http://"))
    headers = {"content-type": "application/json"}
    done, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        body = json.dumps({"data": [[0, *rows[done % len(rows)]]]})
        connection.request("POST", "/v1/functions/FRAUD_SCORE:batch", body, headers)
        answer = json.loads(connection.getresponse().read())
        assert not answer["errors"], answer
        done += 1
    connection.close()
    return done / spent


def run() -> Iterator[Result]:
    """The processor's rows a second, one process; the peer is measured before and after it."""
    from tests.support.kafka_broker import Broker, missing
    from tests.support.scoring_server import scoring_server

    if reason := missing():
        print(f"lane B is left out: {reason}", file=sys.stderr)
        return
    chance = random.Random(1)
    rows = [[chance.gauss(0, 1) for _ in NAMES] for _ in range(5_000)]
    values = [
        json.dumps({"ID": i, **dict(zip(NAMES, row, strict=True))}).encode() for i, row in enumerate(rows)
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        publish_model(folder / "models")
        query = folder / "query.sql"
        columns = ", ".join(f"{n} DOUBLE" for n in NAMES)
        query.write_text(
            f"CREATE STREAM TX (K STRING KEY, ID INT, {columns}) WITH (KAFKA_TOPIC='tx', VALUE_FORMAT='JSON');"
            f"CREATE STREAM SCORED AS SELECT K, ID, FRAUD_SCORE({', '.join(NAMES)}) AS SCORE FROM TX;"
        )
        with Broker(folder / "kafka") as broker, scoring_server(folder / "models") as server:
            broker.create("tx")
            broker.produce("tx", ((0, b"%d" % i, values[i % len(values)], i) for i in range(ROWS)))
            before = one_post_a_row(server.url, rows, POSTS)
            command = [sys.executable, "-m", "ksqlkit", "process", query, "--brokers", broker.address]
            command += ["--scoring", server.url, "--to-end", "--json"]
            done = subprocess.run(
                command,
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
            )
            if done.returncode:
                sys.exit(done.stderr)
            after = one_post_a_row(server.url, rows, POSTS)
    tally = json.loads(done.stdout)["SCORED"]
    assert tally["read"] == tally["written"] == ROWS, tally
    yield Result(
        f"lane B: FRAUD_SCORE over a topic, {TREES} trees, exactly once",
        round(ROWS / tally["seconds"]),
        "rows/s",
        "one POST a row to the same server",
        round((before + after) / 2),
    )


BENCHMARKS = (Benchmark("lane B: FRAUD_SCORE over a topic", run),)
