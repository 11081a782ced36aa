"""The memory of an engine with two queries over 1,000 keys, in a process of its own, as its rows grow.

`python -m benchmarks.memory ROWS` is that process: it prints its largest size in MB.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from benchmarks.data import ORDERS, durable_engine, orders
from benchmarks.result import Benchmark, Result
from ksqlkit.engine.log.protocol import Commit

SMALL, LARGE = 100_000, 1_000_000
QUERIES = (
    "CREATE TABLE TOTALS AS SELECT USER_ID, COUNT(*) AS N, SUM(AMOUNT) AS TOTAL FROM ORDERS GROUP BY USER_ID;",
    "CREATE TABLE RECENT AS SELECT USER_ID, COUNT(*) AS N, MAX(AMOUNT) AS M FROM ORDERS "
    "WINDOW TUMBLING (SIZE 1 MINUTE, RETENTION 10 MINUTES, GRACE PERIOD 1 MINUTE) GROUP BY USER_ID;",
)


def work(rows: int) -> float:
    """Feed an engine with rows, ten thousand at a time; the largest size of this process in MB."""
    with durable_engine() as engine:
        for statement in (ORDERS, *QUERIES):
            engine.execute(statement)
        left = orders(rows)
        while batch := list(islice(left, 10_000)):
            engine.log.commit(Commit(outputs=batch))
            engine.run_until_idle()
    return largest()


def largest() -> float:
    """The largest size of this process so far, in MB. (The kernel's ru_maxrss would count its parent's, too.)"""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def peak(rows: int) -> float:
    """The same in a new process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", str(rows)], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def run() -> Iterator[Result]:
    """The peak after few and after many rows."""
    for rows in (SMALL, LARGE):
        name = f"memory: two queries over 1,000 keys, {rows:,} rows"
        yield Result(name, round(peak(rows)), "MB", "the aim: under 150 MB, and flat", 150)


BENCHMARKS = (Benchmark("memory: two queries over 1,000 keys", run),)


if __name__ == "__main__":
    print(work(int(sys.argv[1])))
