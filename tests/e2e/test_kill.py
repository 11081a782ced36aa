"""kill -9 an engine with many queries at random moments: its topics end up as those of an undisturbed run."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.log.protocol import Record
from ksqlkit.engine.log.sqlite import SqliteLog
from tests.support import kill_engine

pytestmark = [pytest.mark.slow, pytest.mark.e2e]
ROOT = Path(__file__).parents[2]
BATCHES = 30
KILLS = 8
SECONDS = 45  # for all lives together


class Life:
    """A worker process; its output goes to a file, so that nothing of it is lost with the pipe."""

    def __init__(self, log: Path, output: Path, hot: int) -> None:
        self.output = output
        with output.open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.kill_engine", str(log), str(BATCHES), str(hot)],
                stdout=sink,
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )

    def wait_for(self, line: str, deadline: float) -> None:
        while line not in self.lines():
            assert self.process.poll() in (None, 0), "the worker failed"
            assert time.monotonic() < deadline, f"no {line!r} in time; the worker wrote {self.lines()[-2:]}"
            time.sleep(0.01)

    def wait_for_batches(self, count: int, deadline: float) -> None:
        while sum(line.isdigit() for line in self.lines()) < count and self.process.poll() is None:
            assert time.monotonic() < deadline, f"too few batches in time: {self.lines()[-2:]}"
            time.sleep(0.01)

    def lines(self) -> list[str]:
        return self.output.read_text().splitlines()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def topics(path: Path) -> dict[str, list[list[Record]]]:
    """Topic -> partitions -> records."""
    log = SqliteLog(path)
    try:
        return {
            name: [log.read(name, p, 0, 10**9) for p in range(info.partitions)]
            for name, info in log.topics().items()
        }
    finally:
        log.close()


def totals(path: Path) -> dict[str, Any]:
    with Engine(SqliteLog(path), functions=kill_engine.functions()) as engine:
        assert not engine.context.startup_errors
        return {g: (n, s) for g, n, s in engine.query("SELECT g, n, s FROM totals;").rows}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("calm") / "log.db"
    kill_engine.work(str(path), BATCHES, 10_000)
    return path


def killed(folder: Path, seed: int, hot: int) -> tuple[Path, list[int]]:
    """A log whose worker was killed often, then left to finish; the batch each life got to."""
    path, chance, reached = folder / "log.db", random.Random(seed), []
    deadline = time.monotonic() + SECONDS
    for number in range(KILLS):
        life = Life(path, folder / f"life{number}", hot)
        # Some die while they make their queries or take them up again, most while they work.
        if number % 4:
            life.wait_for("ready", deadline)
        if number % 2:
            life.wait_for_batches(2, deadline)  # the first may be that of the life before
        time.sleep(chance.uniform(0.0, 0.25))
        life.kill()
        reached += [int(n) for n in life.lines() if n.isdigit()][-1:]
    last = Life(path, folder / "last", hot)
    last.wait_for("done", deadline)
    assert last.process.wait(10) == 0
    return path, reached


@pytest.mark.parametrize(("seed", "hot"), [(7, 10_000), (8, 4)])
def test_killed_often_and_still_the_same(undisturbed: Path, tmp_path: Path, seed: int, hot: int) -> None:
    """The undisturbed run has its state in memory; with 2 entries a partition, most of it lies in the log only."""
    path, reached = killed(tmp_path, seed, hot)
    assert len(set(reached)) >= 3, f"the kills came too early or too late: {reached}"
    found, expected = topics(path), topics(undisturbed)
    assert found.keys() == expected.keys()
    for name in (*kill_engine.TOPICS, *kill_engine.ORDERED):
        for partition, (ours, theirs) in enumerate(zip(found[name], expected[name], strict=True)):
            assert ours == theirs, f"{name} differs in partition {partition}"
            assert theirs, f"{name} is empty in partition {partition}: nothing was tested"
    for name in kill_engine.UNORDERED:
        for ours, theirs in zip(found[name], expected[name], strict=True):
            assert Counter(r[1:] for r in ours) == Counter(r[1:] for r in theirs), name
    assert totals(path) == totals(undisturbed)


def test_totals_are_right(undisturbed: Path) -> None:
    """The undisturbed run itself, against plain arithmetic."""
    counts: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    for number in range(BATCHES):
        for _, value, _ in kill_engine.batch("clicks", number):
            row = orjson.loads(value or b"{}")
            counts[row["G"]] += 1
            sums[row["G"]] += row["V"]
    assert totals(undisturbed) == {g: (n, sums[g]) for g, n in counts.items()}
