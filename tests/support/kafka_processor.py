"""`ksqlkit process` as a child process of a test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import orjson

ROOT = Path(__file__).parents[2]


class Processing:
    """A running processor; what it says goes to a file."""

    def __init__(self, query: Path, brokers: str, *options: str, env: dict[str, str] | None = None) -> None:
        self.output = query.with_name(f"{query.stem}-{time.monotonic_ns()}.log")
        with self.output.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ksqlkit", "process", query, "--brokers", brokers, "--json", *options],
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=query.parent,
                env=os.environ | {"PYTHONPATH": str(ROOT)} | (env or {}),
            )

    @property
    def log(self) -> str:
        """What it wrote to standard error."""
        return self.output.read_text()

    def says(self, words: str, timeout: float = 40.0) -> Self:
        """Wait until it has said that."""
        wait_until(lambda: words in self.log or self.process.poll() is not None, timeout)
        assert words in self.log, self.log
        return self

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.communicate()

    def end(self, *, stop: bool = True, code: int = 0, timeout: float = 60.0) -> dict[str, int]:
        """SIGTERM it (or wait for its own end), and return what it has done; it is to end with that code."""
        if stop:
            self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=timeout)
        assert self.process.returncode == code, self.log
        (done,) = orjson.loads(out).values() if out else ({},)
        return dict(done)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
        if self.process.stdout is not None:
            self.process.stdout.close()


def wait_until(reached: Callable[[], bool], timeout: float = 40.0) -> None:
    """Look ten times a second until it is so; fail after `timeout` seconds."""
    until = time.monotonic() + timeout
    while not reached():
        assert time.monotonic() < until, "it did not come to it in time"
        time.sleep(0.1)
