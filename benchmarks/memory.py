"""The memory of an engine with two queries over 1,000 keys, in a process of its own, as its rows grow.

`python -m benchmarks.memory ROWS [SECOND QUERY]` is that process: it prints its largest size in MB.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from benchmarks.data import ORDERS, RETURNS, durable_engine, orders
from benchmarks.result import Benchmark, Result
from ksqlkit.engine.log.protocol import Commit

ROWS = 100_000
GROWTH = (1, 3, 10)
TOTALS = (
    "CREATE TABLE TOTALS AS SELECT USER_ID, COUNT(*) AS N, SUM(AMOUNT) AS TOTAL FROM ORDERS GROUP BY USER_ID;"
)
_RECENT = (
    "CREATE TABLE RECENT AS SELECT USER_ID, COUNT(*) AS N, MAX(AMOUNT) AS M FROM ORDERS "
    "WINDOW {} GROUP BY USER_ID;"
)
_JOINED = (
    "CREATE STREAM JOINED AS SELECT O.USER_ID, O.ORDER_ID, R.ORDER_ID AS RETURN_ID FROM ORDERS O "
    "{} JOIN RETURNS R WITHIN 10 SECONDS GRACE PERIOD 1 DAY ON O.USER_ID = R.USER_ID;"
)
# The second query, by what it keeps: without RETENTION, a day of event time, of which a million rows are 2.8 hours.
SECOND = {
    "10 minutes": _RECENT.format("TUMBLING (SIZE 1 MINUTE, RETENTION 10 MINUTES, GRACE PERIOD 1 MINUTE)"),
    "windows": _RECENT.format("TUMBLING (SIZE 1 MINUTE)"),
    "sessions": _RECENT.format("SESSION (5 SECONDS)"),
    "join": _JOINED.format(""),
    "left join": _JOINED.format("LEFT"),
}


def work(rows: int, kept: str) -> float:
    """Feed an engine with rows, ten thousand at a time; the largest size of this process in MB."""
    with durable_engine() as engine:
        for statement in (ORDERS, RETURNS, TOTALS, SECOND[kept]):
            engine.execute(statement)
        left = orders(rows)
        right = orders(rows, topic="returns", seed=8) if "join" in kept else iter(())
        while batch := list(islice(left, 10_000)):
            engine.log.commit(Commit(outputs=batch))
            engine.log.commit(Commit(outputs=list(islice(right, 10_000))))
            engine.run_until_idle()
    return largest()


def largest() -> float:
    """The largest size of this process so far, in MB. (The kernel's ru_maxrss would count its parent's, too.)"""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def peak(rows: int, kept: str = "windows") -> float:
    """The same in a new process."""
    command = [sys.executable, "-m", "benchmarks.memory", str(rows), kept]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def run(kept: str) -> Iterator[Result]:
    """The peak as rows grow."""
    for times in GROWTH:
        name = f"memory: totals and {kept} over 1,000 keys, {times * ROWS:,} rows"
        yield Result(name, round(peak(times * ROWS, kept)), "MB", "the aim: under 150 MB, and flat", 150)


BENCHMARKS = tuple(
    Benchmark(f"memory: totals and {kept} over 1,000 keys", partial(run, kept)) for kept in SECOND
)


if __name__ == "__main__":
    print(work(int(sys.argv[1]), *sys.argv[2:]))
