"""The background thread: it outlives a log that fails for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from ksqlkit.engine import engine as module
from ksqlkit.engine.clock import FixedClock
from ksqlkit.engine.engine import Engine
from ksqlkit.engine.log.memory import MemoryLog
from ksqlkit.engine.log.protocol import Commit
from ksqlkit.errors import ServerError


class FailingLog(MemoryLog):
    """Takes nothing while `broken`, as a full disk."""

    broken = False

    def commit(self, commit: Commit) -> None:
        if self.broken:
            raise ServerError("no space left on device")
        super().commit(commit)


def test_the_thread_goes_on_after_the_log_failed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    log = FailingLog()
    with Engine(log, clock=FixedClock(1), properties={"auto.offset.reset": "earliest"}) as engine:
        engine.execute(
            "CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);"
            "CREATE STREAM good AS SELECT k, v FROM s;"
        )
        engine.produce("s", b"k", b"not JSON")
        log.broken = True
        engine.start()
        wait(lambda: bool(caplog.records))
        log.broken = False
        engine.produce("s", b"k", b'{"V":1}')
        wait(lambda: len(engine.read("GOOD")) == 1)
    assert "no space left on device" in caplog.text


class ManySteps(MemoryLog):
    """Cleaning up goes on in steps until it is `enough`, or for some ten seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.enough = threading.Event()

    def maintenance(self, now: int) -> Iterator[int]:
        for _ in range(1000):
            if self.enough.wait(0.01):
                return
            yield 1


def test_cleaning_up_lets_others_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAINTENANCE_SECONDS", 0.0)
    log = ManySteps()
    with Engine(log, clock=FixedClock(1)) as engine:
        cleaner = threading.Thread(target=engine.maintain)
        cleaner.start()
        engine.start()  # and its own thread cleans up, too
        for _ in range(5):
            engine.execute("SHOW STREAMS;")
        assert cleaner.is_alive()
        log.enough.set()
        cleaner.join()


def wait(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
