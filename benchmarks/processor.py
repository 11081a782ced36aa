"""FRAUD_SCORE over a Kafka topic: `ksqlkit process` with results and offsets in transactions, beside one POST a row to
the same scoring server. Needs Java, and Maven once: the broker is a real one, of this machine.

Two processes share the two partitions of a topic; one process takes both; and two answer by themselves (`--here`). They
take turns, and figures are medians over the rounds. All results are read back, committed ones alone, and each is
compared with what the server says of its row. Broker, server and processors share the machine; how much of it each took
stands beside. With `make bridge`, the lanes into ksqlDB (A and L) are measured in the same run with the same model, and
lane B beside their simple way too: one POST a row by a JVM.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from benchmarks import bridge
from benchmarks.bridge import FEATURES, SIMPLE, TREES, publish_model
from benchmarks.result import Benchmark, Result

ROWS = 500_000
ROUNDS = 3
DISTINCT = 5_000
PARTITIONS = 2
POSTS = 1.0  # seconds of single posts, before and after each run
LANES = (1, 16)  # threads of lanes A and L
PEER = "one POST a row to the same server"
NAMES = [f"F{i}" for i in range(FEATURES)]
ROOT = Path(__file__).parents[1]
Rows = list[list[float]]


def _post(connection: HTTPConnection, rows: Rows) -> list[float]:
    body = json.dumps({"data": [[i, *row] for i, row in enumerate(rows)]})
    headers = {"content-type": "application/json"}
    connection.request("POST", "/v1/functions/FRAUD_SCORE:batch", body, headers)
    answer = json.loads(connection.getresponse().read())
    assert not answer["errors"], answer
    return [score for _, score in answer["data"]]


def one_post_a_row(url: str, rows: Rows, seconds: float) -> float:
    """Rows a second over one kept connection, as a function in ksqlDB calls that knows no better."""
    connection = HTTPConnection(url.removeprefix("http://"))
    done, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        _post(connection, [rows[done % len(rows)]])
        done += 1
    connection.close()
    return done / spent


@dataclass
class Usage:
    """Processor time of processes by name, looked at 20 times a second until the block ends."""

    pids: dict[str, list[int]]
    _seen: dict[int, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    _done: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Usage:
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            for pid in [pid for pids in self.pids.values() for pid in pids]:
                try:
                    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                except OSError:  # it has ended
                    continue
                ticks = int(parts[11]) + int(parts[12])
                self._seen[pid].append((time.time(), ticks / os.sysconf("SC_CLK_TCK")))

    def seconds(self, name: str, begin: float, end: float) -> float:
        """What the processes of that name took between two times since 1970."""
        total = 0.0
        for pid in self.pids[name]:
            used = [seconds for at, seconds in self._seen[pid] if begin <= at <= end]
            total += used[-1] - used[0] if used else 0.0
        return total


def _check(broker: Any, topic: str, wanted: Sequence[dict[str, Any]]) -> None:
    """Every input's result is there once, in order, and is right."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    settings = {"bootstrap.servers": broker.address, "group.id": f"check-{topic}"}
    consumer = Consumer(settings | {"isolation.level": "read_committed", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(PARTITIONS)])
    counts = [0] * PARTITIONS
    while messages := consumer.consume(10_000, 5.0):
        for message in messages:
            assert message.error() is None, message.error()
            partition = message.partition() or 0
            number = counts[partition] * PARTITIONS + partition
            counts[partition] += 1
            assert orjson.loads(message.value() or b"") == wanted[number % DISTINCT], (partition, number)
        if sum(counts) == ROWS:
            break
    consumer.close()
    assert counts == [ROWS // PARTITIONS] * PARTITIONS, counts


@dataclass(frozen=True)
class Run:
    """Rows a second, and microseconds of processor time a row by part."""

    rows_per_s: float
    spent: dict[str, float]


def _processed(
    folder: Path, topic: str, broker: Any, pids: dict[str, list[int]], processes: int, where: list[str]
) -> Run:
    """Run processors over the input to its end."""
    query = folder / f"{topic}.sql"
    columns = ", ".join(f"{n} DOUBLE" for n in NAMES)
    query.write_text(
        f"CREATE STREAM TX (K STRING KEY, ID INT, {columns}) WITH (KAFKA_TOPIC='tx', VALUE_FORMAT='JSON');"
        f"CREATE STREAM {topic} AS SELECT K, ID, FRAUD_SCORE({', '.join(NAMES)}) AS SCORE FROM TX;"
    )
    broker.create(topic, PARTITIONS)
    broker.create(f"{topic}_DEAD", PARTITIONS)
    command = [sys.executable, "-m", "ksqlkit", "process", str(query), "--brokers", broker.address]
    running = [
        subprocess.Popen(
            [*command, *where, "--to-end", "--json"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    with Usage({"processor": [p.pid for p in running], **pids}) as usage:
        ended = [process.communicate() for process in running]
    for process, (_, errors) in zip(running, ended, strict=True):
        if process.returncode:
            sys.exit(errors)
    tallies = [json.loads(out)[topic] for out, _ in ended]
    assert sum(t["read"] for t in tallies) == sum(t["written"] for t in tallies) == ROWS, tallies
    tallies = [t for t in tallies if t["read"]]
    begin = min(t["began"] for t in tallies)
    end = max(t["began"] + t["seconds"] for t in tallies)
    spent = {name: usage.seconds(name, begin, end) / ROWS * 1e6 for name in usage.pids}
    return Run(ROWS / (end - begin), spent)


def _lanes() -> Iterator[tuple[str, int, float, float]]:
    """Lane, threads, rows a second and times of the simple way, of lanes A and L and of the simple way itself."""
    if shutil.which("java") is None or not (ROOT / "build" / "bridge" / "test-classes").is_dir():
        print("lanes A and L are left out: they need a JDK and `make bridge`", file=sys.stderr)
        return
    found: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for entry in bridge.measured(LANES, rounds=3):
        found[entry["lane"], entry["threads"]].append(entry)
    for (lane, threads), rounds in found.items():
        if lane in (SIMPLE, "lane A", "lane L"):
            rates, times = ([r[key] for r in rounds] for key in ("rows_per_s", "times"))
            yield lane, threads, median(rates), median(times)


def run() -> Iterator[Result]:
    """All three lanes; lane B beside one POST a row, measured before and after it, and beside that of the JVM."""
    from tests.support.kafka_broker import Broker, missing
    from tests.support.scoring_server import scoring_server

    if reason := missing():
        print(f"lane B is left out: {reason}", file=sys.stderr)
        return

    class Patient(Broker):
        """As Kafka is set by itself: members of a group that start together get their partitions together."""

        def _settings(self) -> dict[str, str]:
            return super()._settings() | {"group.initial.rebalance.delay.ms": "3000"}

        @property
        def pid(self) -> int:
            """Of the JVM."""
            assert self._process is not None
            return self._process.pid

    chance = random.Random(1)
    rows = [[chance.gauss(0, 1) for _ in NAMES] for _ in range(DISTINCT)]
    values = [
        json.dumps({"ID": i, **dict(zip(NAMES, row, strict=True))}).encode() for i, row in enumerate(rows)
    ]
    simple = None
    for lane, threads, rate, times in _lanes():
        if lane != SIMPLE:
            yield Result(f"lanes: {lane}, {threads} threads", rate, "rows/s", SIMPLE, rate / times)
        elif threads == 1:
            simple = rate
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        publish_model(folder / "models")
        (folder / "ksqlkit.toml").write_text('[project]\nname = "bench"\n')
        with Patient(folder / "kafka") as broker, scoring_server(folder / "models") as server:
            scores = _post(HTTPConnection(server.url.removeprefix("http://")), rows)
            wanted = [{"ID": i, "SCORE": score} for i, score in enumerate(scores)]
            broker.create("tx", PARTITIONS)
            records = ((i % PARTITIONS, b"%d" % i, values[i % DISTINCT], i) for i in range(ROWS))
            broker.produce("tx", records)
            pids = {"broker": [broker.pid], "server": [server.process.pid]}
            ways = {
                "two processes": (2, ["--scoring", server.url]),
                "one process": (1, ["--scoring", server.url]),
                "two processes that answer by themselves": (2, ["--here"]),
            }
            found: dict[str, list[tuple[Run, float]]] = defaultdict(list)
            for number in range(ROUNDS * len(ways)):
                what, (processes, where) = list(ways.items())[number % len(ways)]
                before = one_post_a_row(server.url, rows, POSTS)
                done = _processed(folder, f"SCORED{number}", broker, pids, processes, where)
                after = one_post_a_row(server.url, rows, POSTS)
                _check(broker, f"SCORED{number}", wanted)
                found[what].append((done, done.rows_per_s / ((before + after) / 2)))
    for what, rounds in found.items():
        label = f"lane B: FRAUD_SCORE over a topic, {TREES} trees, exactly once, {what}"
        rate, times = median(r.rows_per_s for r, _ in rounds), median(t for _, t in rounds)
        # So that the ratio is the median of the rounds' ratios.
        yield Result(label, round(rate), "rows/s", PEER, rate / times)
        for part in rounds[0][0].spent:
            spent = median(r.spent[part] for r, _ in rounds)
            yield Result(f"{label}: processor time of the {part} a row", round(spent, 2), "us")
        if simple is not None:
            yield Result(f"lanes: lane B, {what}", round(rate), "rows/s", f"{SIMPLE}, 1 thread", simple)


BENCHMARKS = (Benchmark("lane B: FRAUD_SCORE over a topic", run),)
