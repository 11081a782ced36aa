"""Servers as child processes: started, waited for, stopped in order; none outlives its parent."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Sequence
from typing import Self

from ksqlkit.errors import ServerError

_MARK = "KSQLKIT_STOP_WITH_PARENT"


class ServerProcess:
    """Runs `command`, which must print a line ending in its URL once it listens; `url` waits until that URL answers.

    The child has a process group of its own, so that Ctrl-C at the terminal reaches only the parent, which stops it in
    order. Its standard input is a pipe that closes when the parent dies, however it dies: the child takes that as its
    sign to stop. `url` raises ServerError with what the child wrote to standard error if it does not come up in
    `start_timeout` seconds.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, health: str, start_timeout: float = 30.0
    ) -> None:
        self.name = name
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, _MARK: "1"},
        )
        self._errors: list[str] = []
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()
        self._health = health
        self._start_timeout = start_timeout

    @functools.cached_property
    def url(self) -> str:
        """Where it answers; the first look waits for that."""
        assert self.process.stdout is not None
        url = self.process.stdout.readline().rpartition(" ")[2].strip()
        until = time.monotonic() + self._start_timeout
        while url and time.monotonic() < until and self.alive:
            try:
                with urllib.request.urlopen(url + self._health, timeout=1.0):
                    return url
            except OSError:
                time.sleep(0.02)
        self.kill()
        raise ServerError(self.log.strip() or f"the {self.name} did not start")

    @property
    def log(self) -> str:
        """What it wrote to standard error (the last thousand lines)."""
        return "".join(self._errors)

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def stop(self, timeout: float = 15.0) -> int:
        """Ask it to finish and stop; kill it when it does not. Returns its exit code."""
        if self.alive:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        self._close()
        return self.process.returncode

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.alive:
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _collect(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._errors.append(line)
            del self._errors[:-1000]

    def _close(self) -> None:
        self._reader.join(2.0)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None and not stream.closed:
                stream.close()


def stop_with_parent() -> None:
    """In a child of ServerProcess: raise SIGTERM when the parent's end of standard input closes. Else do nothing."""
    if _MARK not in os.environ:
        return

    def watch() -> None:
        try:
            os.read(0, 1)
        except OSError:
            return
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
