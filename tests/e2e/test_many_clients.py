"""Many clients at once: push queries (some of whose clients stop reading), pulls and inserts; then kill -9."""

from __future__ import annotations

import json
import os
import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from ksqlkit.process import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.e2e]
SECONDS = 4.0
STATEMENTS = """
CREATE STREAM S (K STRING KEY, V INT, T STRING) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=2);
CREATE TABLE C AS SELECT K, COUNT(*) AS N FROM S GROUP BY K;
"""
PUSHES = (
    "SELECT K, V FROM S EMIT CHANGES;",
    "SELECT * FROM C EMIT CHANGES;",
    "SELECT K, COUNT(*) AS N FROM S GROUP BY K EMIT CHANGES;",
)


def server(log: Path) -> ServerProcess:
    command = [sys.executable, "-m", "ksqlkit.engine.rest", "--port", "0", "--log", str(log)]
    return ServerProcess("ksqlkit", command, health="/info")


def total(url: str) -> int:
    answer = httpx.post(
        f"{url}/query-stream", json={"sql": "SELECT K, N FROM C;"}, headers={"accept": "application/json"}
    )
    return sum(row[1] for row in answer.json()[1:])


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Clients:
    """What all clients share: the server's address, when to stop, and what came of it."""

    def __init__(self, url: str, until: float) -> None:
        self.url, self.until = url, until
        place = urlsplit(url)
        self.address = (place.hostname or "", place.port or 0)
        self.done: Counter[str] = Counter()
        self.failed: list[str] = []
        self._lock = threading.Lock()

    @property
    def going(self) -> bool:
        return time.monotonic() < self.until

    def count(self, what: str, number: int = 1) -> None:
        with self._lock:
            self.done[what] += number

    def run(self, act: Callable[[random.Random], None], number: int) -> None:
        try:
            act(random.Random(number))
        except Exception as error:
            self.failed.append(f"{act.__name__}: {error!r}")

    def post(self, connection: HTTPConnection, path: str, body: dict[str, Any]) -> bytes:
        connection.request("POST", path, json.dumps(body), {"accept": "application/json"})
        answer = connection.getresponse()
        data = answer.read()
        assert answer.status == 200, data
        return data

    def pull(self, chance: random.Random) -> None:
        connection = HTTPConnection(*self.address, timeout=30)
        while self.going:
            where = chance.choice([f" WHERE K = 'k{chance.randrange(50)}'", ""])
            json.loads(self.post(connection, "/query-stream", {"sql": f"SELECT * FROM C{where};"}))
            self.count("pulls")
        connection.close()

    def insert(self, chance: random.Random) -> None:
        while self.going:  # with a connection each, as curl does
            connection = HTTPConnection(*self.address, timeout=30)
            sql = f"INSERT INTO S (K, V, T) VALUES ('k{chance.randrange(50)}', {chance.randrange(9)}, 'x');"
            self.post(connection, "/ksql", {"ksql": sql})
            self.count("rows")
            connection.close()

    def insert_stream(self, chance: random.Random) -> None:
        def rows() -> Iterator[bytes]:
            yield b'{"target": "S"}\n'
            while self.going:
                yield b"".join(
                    b'{"K":"k%d","V":1,"T":"%s"}\n' % (chance.randrange(50), b"y" * 300) for _ in range(200)
                )
                time.sleep(0.05)

        with httpx.Client(base_url=self.url, http1=False, http2=True, timeout=60) as client:
            self.count("rows", client.post("/inserts-stream", content=rows()).text.count('"ok"'))

    def push(self, chance: random.Random) -> None:
        while self.going:
            with self.open_push(chance) as wire:
                until = time.monotonic() + chance.uniform(0.2, 1.5)
                while time.monotonic() < min(until, self.until) and (data := wire.recv(65_536)):
                    self.count("pushed", data.count(b"\n"))

    def stall(self, chance: random.Random) -> None:
        with self.open_push(chance) as wire:
            wire.recv(10)
            while self.going:
                time.sleep(0.05)

    def open_push(self, chance: random.Random) -> socket.socket:
        wire = socket.create_connection(self.address, timeout=SECONDS + 5)
        body = {"sql": chance.choice(PUSHES), "properties": {"auto.offset.reset": "earliest"}}
        data = json.dumps(body).encode()
        wire.sendall(
            b"POST /query-stream HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(data) + data
        )
        return wire


def test_nothing_is_lost_and_nothing_is_left(tmp_path: Path) -> None:
    with server(tmp_path / "log.db") as first:
        url = first.url
        httpx.post(f"{url}/ksql", json={"ksql": STATEMENTS}).raise_for_status()
        httpx.post(f"{url}/ksql", json={"ksql": "SHOW STREAMS;"}).raise_for_status()
        folder = Path(f"/proc/{first.process.pid}")
        files = len(os.listdir(folder / "fd"))
        clients = Clients(url, time.monotonic() + SECONDS)
        jobs = [clients.pull] * 8 + [clients.insert] * 6 + [clients.insert_stream] * 2 + [clients.push] * 10
        threads = [
            threading.Thread(target=clients.run, args=(job, number))
            for number, job in enumerate([*jobs, *[clients.stall] * 6])
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert clients.failed == []
        assert min(clients.done[what] for what in ("pulls", "rows", "pushed")) > 0, clients.done

        def queries() -> list[dict[str, Any]]:
            found = httpx.post(f"{url}/ksql", json={"ksql": "SHOW QUERIES;"}).json()[0]["queries"]
            return [q for q in found if q["queryType"] == "PUSH"]

        wait_for(lambda: queries() == [])
        wait_for(lambda: len(os.listdir(folder / "fd")) <= files + 2)
        pages = int((folder / "statm").read_text().split()[1])
        assert pages * os.sysconf("SC_PAGE_SIZE") < 400_000_000
        wait_for(lambda: total(url) == clients.done["rows"])
        first.kill()
    with server(tmp_path / "log.db") as second:
        assert total(second.url) == clients.done["rows"]
