"""kill -9 at random moments: records, positions and state agree afterwards, and nothing acknowledged is missing."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ksqlkit.engine.log import SqliteLog

ROOT = Path(__file__).parents[3]
WRITER = ROOT / "tests" / "support" / "kill_writer.py"


@pytest.mark.slow
def test_kill_at_random_moments(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    chance = random.Random(20260101)
    acknowledged = 0
    for life in range(12):
        output = tmp_path / f"out{life}"
        with output.open("wb") as sink:
            writer = subprocess.Popen(
                [sys.executable, str(WRITER), str(path), str(life)],
                stdout=sink,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )
            wait_for_line(output, writer)
            time.sleep(chance.uniform(0.01, 0.5))
            writer.kill()
            writer.wait()
        lines = output.read_text().splitlines()
        assert int(lines[0].removeprefix("at ")) >= acknowledged
        whole = lines if output.read_text().endswith("\n") else lines[:-1]
        acknowledged = int(whole[-1].removeprefix("at "))
        check(path, acknowledged)
    assert acknowledged > 100


def wait_for_line(output: Path, writer: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while not output.stat().st_size:
        assert writer.poll() is None, "the writer ended by itself"
        assert time.monotonic() < deadline, "the writer did not start"
        time.sleep(0.005)


def check(path: Path, acknowledged: int) -> None:
    """The log holds exactly the batches up to some n, and n is not before the last one acknowledged."""
    log = SqliteLog(path)
    try:
        n = log.positions("q").get(("t", 0), 0)
        assert n >= acknowledged
        if n == 0:
            return
        state = dict(log.load_state("q/s"))
        assert (state[b"last"], log.load_meta()["m"]) == (b"%d" % n, b"%d" % n)
        assert {int(v) for k, v in state.items() if k != b"last"} == set(range(max(1, n - 49), n + 1))
        counts = [(b % 7 + 1) for b in range(1, n + 1)]
        ends = [sum((c + 1) // 2 for c in counts), sum(c // 2 for c in counts)]
        assert [log.end_offset("t", p) for p in (0, 1)] == ends
        for partition in (0, 1):
            records = log.read("t", partition, 0, 10**9)
            assert [r.offset for r in records] == list(
                range(log.begin_offset("t", partition), ends[partition])
            )
            batches = [b for b in range(1, n + 1) for _ in range((counts[b - 1] + 1 - partition) // 2)]
            assert [r.timestamp for r in records] == batches[len(batches) - len(records) :]
            assert all(r.value and r.key and r.value.startswith(r.key) for r in records)
    finally:
        log.close()
