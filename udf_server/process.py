"""The server as a child process, for commands and tests that need one for a while."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from ksqlkit.errors import ServerError


class ServerProcess:
    """Starts `python -m udf_server` and waits until it answers; `url` is where. Stops it on exit."""

    def __init__(
        self,
        *,
        models: Path,
        functions: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        token_file: Path | None = None,
        lazy: bool = True,
        start_timeout: float = 20.0,
    ) -> None:
        command = [
            sys.executable,
            "-m",
            "udf_server",
            "--host",
            host,
            "--port",
            str(port),
            "--models",
            str(models),
        ]
        command += ["--functions", str(functions)] if functions else []
        command += ["--token-file", str(token_file)] if token_file else []
        command += ["--lazy"] if lazy else []
        command += ["--with-parent"]
        # A group of its own, so that Ctrl-C at the terminal reaches only the parent, which stops it in order.
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        self._errors: list[str] = []
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()
        self.url = self._wait(start_timeout)

    @property
    def log(self) -> str:
        """What it wrote to standard error so far (the last thousand lines)."""
        return "".join(self._errors)

    def stop(self, timeout: float = 10.0) -> int:
        """Ask it to drain and stop; kill it when it does not. Returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        self._close()
        return self.process.returncode

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.stop()

    def _collect(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._errors.append(line)
            del self._errors[:-1000]

    def _wait(self, timeout: float) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        url = line.rpartition(" ")[2].strip()
        until = time.monotonic() + timeout
        while url and time.monotonic() < until and self.process.poll() is None:
            try:
                if httpx.get(f"{url}/livez", timeout=1.0, trust_env=False).status_code == 200:
                    return url
            except httpx.TransportError:
                time.sleep(0.02)
        self.kill()
        raise ServerError(self.log.strip() or "the scoring server did not start")

    def _close(self) -> None:
        self._reader.join(2.0)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
