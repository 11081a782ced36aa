"""Several schedulers, and a server that goes away, as processes that are stopped and killed."""

from __future__ import annotations

import math
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from forecasts.publish import current_rows
from ksqlkit.client.http import HttpClient
from ksqlkit.errors import KsqlkitError
from tests.support.command import Dev, dev
from tests.support.forecast_worker import HOUR, HOURS, LEASE, SPEC

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
SERIES = 20
NOW = HOURS * HOUR + 600_000
BEGUN = int(1000 * time.time())  # that is when it is NOW
TABLES = (
    "CREATE TABLE S0 (K STRING PRIMARY KEY, T0 BIGINT PRIMARY KEY, V DOUBLE) WITH "
    "(KAFKA_TOPIC='s', KEY_FORMAT='JSON', VALUE_FORMAT='JSON', PARTITIONS=1);"
    "CREATE TABLE S AS SELECT * FROM S0;"
)


class Scheduler:
    """A worker process; what it says goes to a file."""

    def __init__(self, server: str, folder: Path, holder: str, clock: int = NOW, pause: str = "") -> None:
        self.output = folder / f"{holder}.txt"
        with self.output.open("wb") as sink:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.support.forecast_worker",
                    server,
                    folder,
                    holder,
                    str(clock - BEGUN),
                    pause,
                ],
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=sink,
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )

    def _lines(self) -> list[str]:
        return self.output.read_text().splitlines()

    def said(self) -> list[str]:
        return [line for line in self._lines() if line != "looked"]

    def looks(self, times: int = 5) -> None:
        """Wait until it has looked so many times more for what is due."""
        enough = self._lines().count("looked") + times
        until(
            lambda: self._lines().count("looked") >= enough, lambda: f"it looks no more: {self.said()[-5:]}"
        )

    def wait_for(self, word: str, seconds: float = 30.0) -> None:
        until(
            lambda: any(line.startswith(word) for line in self.said()),
            lambda: f"no {word}: {self.said()[-5:]}",
            seconds,
        )

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.communicate(timeout=10)


def until(true: Callable[[], bool], why: Callable[[], str], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, why()
        time.sleep(0.02)


def project(folder: Path) -> Path:
    (folder / "sql").mkdir(parents=True)
    (folder / "ksqlkit.toml").write_text(
        '[project]\nname = "load"\ntarget = "dev"\n[targets.dev]\nurl = "http://x"\n'
    )
    return folder


def fill(client: HttpClient, hours: range) -> None:
    rows = [
        {"K": f"k{i}", "T0": h * HOUR, "V": 50 + i + 20 * math.sin(h * math.pi / 12) + h % 7}
        for h in hours
        for i in range(SERIES)
    ]
    client.insert("S0", rows)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    with dev(project(tmp_path_factory.mktemp("server"))) as running:
        client = HttpClient(running.ksql)
        client.execute(TABLES, properties={"auto.offset.reset": "earliest"})
        fill(client, range(HOURS))
        client.close()
        yield running


@pytest.fixture
def start(server: Dev, tmp_path: Path) -> Iterator[Callable[..., Scheduler]]:
    """Starts schedulers of one state folder, on an hour of their own (one server serves all tests)."""
    with ExitStack() as stack:

        def make(holder: str, clock: int = NOW, pause: str = "") -> Scheduler:
            made = Scheduler(server.ksql, tmp_path, holder, clock, pause)
            stack.callback(made.end)
            made.wait_for("ready")
            return made

        yield make


def runs(folder: Path) -> list[tuple[int, str]]:
    with sqlite3.connect(folder / "forecasts.db") as db:
        return list(db.execute("SELECT scheduled, state FROM run ORDER BY scheduled"))


def ran(*schedulers: Scheduler) -> int:
    return sum(line.startswith("ran") for s in schedulers for line in s.said())


def test_two_schedulers_run_a_job_once(start: Callable[..., Scheduler], tmp_path: Path) -> None:
    both = start("one"), start("two")
    until(lambda: ran(*both) > 0, lambda: str([s.said() for s in both]))
    for each in both:
        each.looks()
    assert ran(*both) == 1
    assert runs(tmp_path) == [(HOURS * HOUR, "done")]


def test_missed_runs_are_run_once_for_the_latest(start: Callable[..., Scheduler], tmp_path: Path) -> None:
    first = start("one")
    first.wait_for("ran")
    first.end()
    late = start("two", NOW + 5 * HOUR)
    late.wait_for("ran")
    late.looks()
    assert ran(late) == 1
    assert runs(tmp_path) == [(HOURS * HOUR, "done"), ((HOURS + 5) * HOUR, "done")]


def test_a_holder_that_lives_keeps_its_lease_and_one_that_is_killed_is_followed(
    start: Callable[..., Scheduler], tmp_path: Path
) -> None:
    holder = start("one", pause="model")
    holder.wait_for("paused")
    other = start("two")
    other.looks(2 * LEASE // 100)  # for two leases at least
    assert ran(other) == 0
    assert "model" not in other.said()
    holder.process.kill()
    other.wait_for("ran", 20)
    assert runs(tmp_path) == [(HOURS * HOUR, "done")]
    with sqlite3.connect(tmp_path / "forecasts.db") as db:
        assert db.execute("SELECT holder, token FROM lease").fetchall() == [("two", 2)]


def test_a_holder_that_was_stopped_cannot_publish_when_it_wakes(
    server: Dev, start: Callable[..., Scheduler]
) -> None:
    holder = start("one", pause="switch")
    holder.wait_for("paused")
    holder.process.send_signal(signal.SIGSTOP)
    other = start("two", NOW + 5_000)
    other.wait_for("ran", 20)
    client = HttpClient(server.ksql)
    after = {row["RUN_ID"] for row in current_rows(client, SPEC)}
    holder.process.send_signal(signal.SIGCONT)
    holder.go_on()
    holder.wait_for("lost")
    assert {row["RUN_ID"] for row in current_rows(client, SPEC)} == after
    client.close()


@pytest.mark.parametrize("jump", [-5 * HOUR, 5 * HOUR])
def test_a_clock_that_jumps_runs_nothing_twice(
    start: Callable[..., Scheduler], tmp_path: Path, jump: int
) -> None:
    holder = start("one", pause="model")
    holder.wait_for("paused")
    other = start("two", NOW + jump)
    other.wait_for("ran")
    holder.go_on()
    holder.wait_for("lost")
    for each in (holder, other):
        each.looks()
    done = [scheduled for scheduled, state in runs(tmp_path) if state == "done"]
    assert done == sorted(set(done))
    assert ran(holder, other) == len(done)


def kill(server: Dev) -> None:
    """kill -9 for a server and the scoring server that it started."""
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    os.kill(pid, signal.SIGKILL)
    server.process.wait(10)
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(int(child), signal.SIGKILL)


class Reader:
    """Reads the target over and over, until the server is gone."""

    def __init__(self, server: str) -> None:
        self.seen: list[Counter[str]] = []
        self._client, self._stop = HttpClient(server), threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        try:
            while not self._stop.is_set():
                rows = current_rows(self._client, SPEC)
                self.seen.append(Counter(row["RUN_ID"] for row in rows))
        except (KsqlkitError, httpx.HTTPError):
            return

    def end(self) -> list[Counter[str]]:
        self._stop.set()
        self._thread.join(20)
        self._client.close()
        return self.seen


WHOLE = [SERIES * SPEC.horizon]


@pytest.mark.parametrize(("place", "delay"), [("switch", 0.0), ("rows", 0.0), ("rows", 0.04)])
def test_a_server_killed_while_a_run_is_written_shows_whole_runs_only(
    tmp_path: Path, place: str, delay: float
) -> None:
    folder, state = project(tmp_path / "p"), tmp_path / "state"
    state.mkdir()
    with dev(folder, "--data", str(tmp_path / "data")) as server:
        client = HttpClient(server.ksql)
        client.execute(TABLES, properties={"auto.offset.reset": "earliest"})
        fill(client, range(HOURS))
        first = Scheduler(server.ksql, state, "one")
        first.wait_for("ran")
        first.end()
        [before] = {row["RUN_ID"] for row in current_rows(client, SPEC)}
        second = Scheduler(server.ksql, state, "two", NOW + HOUR, place)
        second.wait_for("paused")
        reader = Reader(server.ksql)
        until(lambda: len(reader.seen) > 1, lambda: "nothing was read")
        if place == "rows":
            second.go_on()
            time.sleep(delay)
        kill(server)
        second.go_on()
        assert all(list(c.values()) == WHOLE for c in reader.end())
        client.close()
        second.end()
    with dev(folder, "--data", str(tmp_path / "data")) as server:
        client = HttpClient(server.ksql)
        after = Counter(row["RUN_ID"] for row in current_rows(client, SPEC))
        assert list(after.values()) == WHOLE
        assert place == "rows" or set(after) == {before}
        reader = Reader(server.ksql)
        third = Scheduler(server.ksql, state, "three", NOW + 2 * HOUR)
        third.wait_for("ran")
        until(lambda: not set(reader.seen[-1]) & set(after), lambda: "the new run is not seen")
        seen = reader.end()
        third.end()
        assert all(list(c.values()) == WHOLE for c in seen), "a reader saw half a run"
        assert len({run for c in seen for run in c}) == 2, "the switch was seen"
        client.close()
