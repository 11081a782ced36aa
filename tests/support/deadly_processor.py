"""A processor that kills itself at a step of a transaction: python -m tests.support.deadly_processor STEP COUNT QUERY
BROKERS [--here FOLDER | --scoring URL] [INSTANCE]. STEP is read, score, begin, produce, offsets, commit, committed."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ksqlkit.process import stop_with_parent
from ksqlkit.processor.counters import Counters
from ksqlkit.processor.kafka import make_producer
from ksqlkit.processor.settings import Settings, kafka_properties
from ksqlkit.processor.spec import read_file
from ksqlkit.processor.start import Scoring, run_one
from ksqlkit.scoring.transport import Reply, Transport


class Fuse:
    """Kills the process when a step is reached for the COUNTth time."""

    def __init__(self, step: str, count: int) -> None:
        self.step, self.left = step, count

    def burn(self, step: str) -> None:
        if step == self.step:
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


class DeadlyProducer:
    """A producer that reports its steps to a fuse."""

    def __init__(self, real: Any, fuse: Fuse) -> None:
        self._real, self._fuse = real, fuse

    def begin_transaction(self) -> None:
        self._fuse.burn("begin")
        self._real.begin_transaction()

    def produce(self, *args: Any, **kwargs: Any) -> None:
        self._real.produce(*args, **kwargs)
        self._real.poll(0)
        self._fuse.burn("produce")

    def send_offsets_to_transaction(self, *args: Any) -> None:
        self._real.send_offsets_to_transaction(*args)
        self._fuse.burn("offsets")

    def commit_transaction(self, *args: Any) -> None:
        self._real.flush(5.0)
        self._fuse.burn("commit")
        self._real.commit_transaction(*args)
        self._fuse.burn("committed")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class DeadlyTransport:
    """A way to the scoring server that reports before and after calls."""

    def __init__(self, real: Transport, fuse: Fuse) -> None:
        self._real, self._fuse = real, fuse

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Reply:
        if method == "POST":
            self._fuse.burn("read")
        reply = self._real.send(method, path, body, headers, timeout)
        if method == "POST":
            self._fuse.burn("score")
        return reply

    def close(self) -> None:
        self._real.close()


class DeadlyScoring(Scoring):
    """Scoring whose calls may be the last thing that happens."""

    fuse: Fuse

    def open(self) -> Transport:
        return DeadlyTransport(super().open(), self.fuse)


def main(
    step: str, count: str, query: str, brokers: str, where: str, place: str, instance: str | None = None
) -> None:
    fuse = Fuse(step, int(count))
    if where == "--here":
        scoring = DeadlyScoring.here(Path(place) / "models", Path(place) / "functions")
    else:
        scoring = DeadlyScoring(place)
    assert isinstance(scoring, DeadlyScoring)
    scoring.fuse = fuse

    def deadly(properties: Mapping[str, str], name: str) -> Any:
        return DeadlyProducer(make_producer(properties, name), fuse)

    settings = Settings(
        kafka=kafka_properties(None, brokers), instance=instance, max_rows=100, to_end=True, latency=5.0
    )
    stop_with_parent()
    tally = run_one(read_file(Path(query)), settings, scoring, Counters(), threading.Event(), producer=deadly)
    print(tally)


if __name__ == "__main__":
    main(*sys.argv[1:])
