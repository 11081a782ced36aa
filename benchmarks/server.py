"""The server as a process: how soon it answers, what memory it takes, how fast rows come in over HTTP."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from benchmarks.data import ORDERS, orders
from benchmarks.result import Benchmark, Result

KSQLDB_SERVER = "ksqlDB 7.9.1 with its broker"
ROUNDS = 3
LOADED = 200_000
BATCH = 5_000
_BINARY = {"content-type": "application/vnd.kafka.binary.v2+json"}


@dataclass(frozen=True)
class Server:
    """A running server; `seconds` passed from its start to its first answer."""

    url: str
    process: subprocess.Popen[bytes]
    seconds: float

    def resident(self) -> float:
        """Its memory in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


@contextmanager
def running_server() -> Iterator[Server]:
    """`python -m ksqlkit.engine.rest` on a free port and a durable log, until the block ends."""
    with TemporaryDirectory() as folder:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "ksqlkit.engine.rest", "--port", "0", "--log", str(Path(folder) / "log.db"),
             "--property", "auto.offset.reset=earliest"],
            stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            url = process.stdout.readline().decode().split()[-1]
            httpx.get(f"{url}/info").raise_for_status()
            yield Server(url, process, time.perf_counter() - started)
        finally:
            process.terminate()
            process.wait(20)
            process.stdout.close()


def statement(url: str, sql: str) -> None:
    """Run statements over HTTP."""
    httpx.post(f"{url}/ksql", json={"ksql": sql}, timeout=60).raise_for_status()


def produce(url: str, topic: str, records: Sequence[tuple[bytes, bytes]]) -> None:
    """Append (key, value) records over HTTP, in one request."""
    httpx.post(f"{url}/topics/{topic}", content=_body(records), headers=_BINARY).raise_for_status()


def _body(records: Sequence[tuple[bytes, bytes]]) -> bytes:
    texts = ((base64.b64encode(k).decode(), base64.b64encode(v).decode()) for k, v in records)
    return json.dumps({"records": [{"key": k, "value": v} for k, v in texts]}).encode()


def start() -> Iterator[Result]:
    """Start to the first answer of /info, and the memory then."""
    seconds, memory = [], []
    for _ in range(ROUNDS):
        with running_server() as server:
            seconds.append(server.seconds)
            memory.append(server.resident())
    yield Result("server: start to /info", round(min(seconds), 2), "s", KSQLDB_SERVER, 6.0)
    yield Result("server: memory after start", round(min(memory)), "MB", KSQLDB_SERVER, 680)


def load() -> Iterator[Result]:
    """JSON rows into a topic over HTTP, in requests of five thousand, one after the other."""
    rows = [(r.key or b"", r.value or b"") for r in orders(LOADED)]
    bodies = [_body(rows[at : at + BATCH]) for at in range(0, LOADED, BATCH)]
    with running_server() as server, httpx.Client(base_url=server.url, timeout=60) as client:
        statement(server.url, ORDERS)
        started = time.perf_counter()
        for body in bodies:
            client.post("/topics/orders", content=body, headers=_BINARY).raise_for_status()
        seconds = time.perf_counter() - started
    yield Result("server: rows in over HTTP", round(LOADED / seconds), "rows/s")


BENCHMARKS = (Benchmark("server: start and memory", start), Benchmark("server: rows in over HTTP", load))
