"""The `ksqlkit` command as a child process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BIN = Path(sys.executable).parent / "ksqlkit"


def run(
    *arguments: str, folder: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [BIN, *arguments],
        cwd=folder,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=180,
    )


class Dev:
    """A running `ksqlkit dev`."""

    def __init__(self, process: subprocess.Popen[str], ksql: str, scoring: str) -> None:
        self.process, self.ksql, self.scoring = process, ksql, scoring

    def interrupt(self) -> int:
        """Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


@contextmanager
def dev(folder: Path, *arguments: str) -> Iterator[Dev]:
    """`ksqlkit dev --port 0` in a folder, until the block ends."""
    process = subprocess.Popen(
        [BIN, "dev", "--port", "0", *arguments],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    said, found = [], {}
    for line in process.stderr:
        said.append(line)
        if match := re.search(r"(ksqlDB|scoring server) +(http://\S+)", line):
            found[match[1]] = match[2]
        if "Ctrl-C" in line:
            break
    reader = threading.Thread(target=process.stderr.read, daemon=True)
    reader.start()
    try:
        assert len(found) == 2, "".join(said)
        yield Dev(process, found["ksqlDB"], found["scoring server"])
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(30)
        reader.join(5)
        process.stderr.close()
