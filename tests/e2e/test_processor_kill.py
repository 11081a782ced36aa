"""kill -9 a processor at every step of a transaction, against a real broker: who reads committed records sees every
input exactly once, in order, and series remember what they knew."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest

from ksqlkit.process import ServerProcess
from tests.support.kafka_broker import Broker

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.checkout]
STEPS = ("read", "score", "begin", "produce", "offsets", "commit", "committed")


def live(
    step: str, count: int, query: Path, broker: Broker, *where: str, env: Mapping[str, str] | None = None
) -> int:
    """A processor's life; how it ended."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.support.deadly_processor",
            step,
            str(count),
            query,
            broker.address,
            *where,
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr[-2000:]
    return done.returncode


def test_every_input_once_and_in_order(broker: Broker, scoring: ServerProcess, tmp_path: Path) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    chance = random.Random(seed)
    rows, partitions = 6_000, 3
    broker.create("in", partitions)
    broker.produce(
        "in", [(i % partitions, b"k%d" % (i % partitions), orjson.dumps({"ID": i})) for i in range(rows)]
    )
    query = tmp_path / "query.sql"
    query.write_text(
        "CREATE STREAM S (K STRING KEY, ID INT) WITH (KAFKA_TOPIC='in', VALUE_FORMAT='JSON');"
        "CREATE STREAM T WITH (KAFKA_TOPIC='out') AS SELECT K, ID, TWICE(ID) AS V FROM S;"
    )
    where = ("--scoring", scoring.url, "one")
    for step in chance.sample(STEPS, len(STEPS)):
        count = chance.randint(1, 700) if step == "produce" else chance.randint(1, 7)
        assert live(step, count, query, broker, *where) == -signal.SIGKILL, f"it did not get to {step}"
    assert live("never", 1, query, broker, *where) == 0
    found = broker.read("out", count=rows)
    for partition, messages in enumerate(found):
        values = [orjson.loads(m.value()) for m in messages]
        wanted = range(partition, rows, partitions)
        assert [v["ID"] for v in values] == list(wanted)
        assert [v["V"] for v in values] == [2.0 * i for i in wanted]
        assert {m.key() for m in messages} == {b"k%d" % partition}
    assert broker.read("out_DEAD") == [[], [], []]


def test_who_takes_over_ends_what_a_dead_process_left_open(
    broker: Broker, scoring: ServerProcess, tmp_path: Path
) -> None:
    """Neither has a name that stays. Without that, readers and the successor wait until Kafka's time is over."""
    rows = 500
    broker.create("left", 1)
    broker.produce("left", [(0, b"k", orjson.dumps({"ID": i})) for i in range(rows)])
    query = tmp_path / "query.sql"
    query.write_text(
        "CREATE STREAM S (K STRING KEY, ID INT) WITH (KAFKA_TOPIC='left', VALUE_FORMAT='JSON');"
        "CREATE STREAM T WITH (KAFKA_TOPIC='left_out') AS SELECT K, ID, TWICE(ID) AS V FROM S;"
    )
    where = ("--scoring", scoring.url)
    env = {
        "KSQLKIT_KAFKA_SESSION_TIMEOUT_MS": "2000",
        "KSQLKIT_KAFKA_HEARTBEAT_INTERVAL_MS": "500",
        "KSQLKIT_KAFKA_TRANSACTION_TIMEOUT_MS": "120000",
    }
    assert live("commit", 3, query, broker, *where, env=env) == -signal.SIGKILL
    assert live("never", 1, query, broker, *where, env=env) == 0
    (found,) = broker.read("left_out", count=rows)
    assert [orjson.loads(m.value())["ID"] for m in found] == list(range(rows))


def test_series_remember_over_kills(broker: Broker, tmp_path: Path) -> None:
    rows, series = 900, 4
    chance = random.Random(3)
    records = [
        (
            i % 2,
            b"s%d" % (i % series),
            orjson.dumps({"V": chance.gauss(20.0, 1.0) + (30 if i % 97 == 0 else 0)}),
            60_000 * i,
        )
        for i in range(rows)
    ]
    seen = {}
    for name, steps in (("calm", ()), ("killed", ("committed", "offsets", "score", "produce", "commit"))):
        broker.create(f"readings_{name}", 2)
        broker.produce(f"readings_{name}", records)
        query = tmp_path / f"{name}.sql"
        query.write_text(
            f"CREATE STREAM S (SERIES STRING KEY, V DOUBLE) WITH (KAFKA_TOPIC='readings_{name}', VALUE_FORMAT='JSON');"
            f"CREATE STREAM {name} WITH (KAFKA_TOPIC='{name}') AS"
            " SELECT SERIES, ANOMALY_SCORE(SERIES, ROWTIME, V) AS SCORE FROM S;"
        )
        where = ("--here", str(tmp_path), "one")
        for step in steps:
            assert live(step, 60 if step == "produce" else 2, query, broker, *where) == -signal.SIGKILL
        assert live("never", 1, query, broker, *where) == 0
        seen[name] = [[m.value() for m in messages] for messages in broker.read(name, count=rows)]
    assert sum(map(len, seen["calm"])) == rows
    assert seen["killed"] == seen["calm"]
    assert any(orjson.loads(v)["SCORE"] > 0.5 for v in seen["calm"][0])
    states = {m.key() for messages in broker.read("killed_STATE") for m in messages}
    assert len(states) == series
    assert not (tmp_path / "models" / ".memory" / "states.db").exists()
