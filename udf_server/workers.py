"""Several processes that serve one port: the kernel gives each new connection to one of them."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from ksqlkit.errors import ServerError

logger = logging.getLogger("udf_server")

_EACH: Final = 1 << 30  # bytes a worker may come to need: its models and what they score
_QUICK: Final = 5.0  # a worker that lives shorter is restarted after a pause
_LONGEST_PAUSE: Final = 10.0
_FORWARDED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def reserve(host: str, port: int) -> socket.socket:
    """A socket that holds the port, or a free one for 0, for those who bind it with SO_REUSEPORT; it takes no
    connections itself. Raises ServerError when the port is taken or not allowed."""
    held = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Without the option the bind fails when another server listens, with or without it there.
        with socket.socket(held.family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            port = int(probe.getsockname()[1])
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((host, port))
    except OSError as error:
        held.close()
        raise ServerError(
            f"cannot listen on {host}:{port}: {error.strerror}",
            hint="use --port 0 for a free port, or stop what listens there",
        ) from error
    return held


def automatic() -> int:
    """One worker for each core that we may use, as far as the memory that is available goes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return cores
    return max(1, min(cores, free // _EACH))


@dataclass(frozen=True, slots=True)
class Peers:
    """What the workers of a server tell each other of their counts, by files in a folder of their own."""

    folder: Path
    number: int
    parent: int

    def orphaned(self) -> bool:
        """Whether the process that started this one is gone."""
        return os.getppid() != self.parent

    def tell(self, state: Any) -> None:
        """Leave this worker's counts for the others."""
        draft = self.folder / f".{self.number}"
        draft.write_bytes(orjson.dumps(state))
        draft.replace(self.folder / f"{self.number}.json")

    def others(self) -> Iterator[Any]:
        """The counts that the others left last."""
        for path in sorted(self.folder.glob("*.json")):
            if path.stem != str(self.number):
                try:
                    yield orjson.loads(path.read_bytes())
                except (OSError, ValueError):  # it went away just now
                    continue


def supervise(count: int, work: Callable[[int], int]) -> int:
    """Run `work(number)` in that many processes until SIGINT or SIGTERM; one that dies is started again, signals are
    passed on. Returns 0, or the code with which a worker refused to start."""
    running: dict[int, tuple[int, float]] = {}
    pauses = dict.fromkeys(range(count), 0.0)
    stopping = False

    def passed_on(number: int, _: Any) -> None:
        nonlocal stopping
        stopping = stopping or number != signal.SIGHUP
        for pid in list(running):
            os.kill(pid, number)

    def start(number: int) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for each in _FORWARDED:
                    signal.signal(each, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
                code = work(number)
            except KeyboardInterrupt:
                code = 0
            except BaseException:
                logger.exception("worker %d failed", number)
            finally:
                os._exit(code)
        running[pid] = (number, time.monotonic())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)

    for each in _FORWARDED:
        signal.signal(each, passed_on)
    for number in range(count):
        start(number)
    while running:
        pid, status = os.wait()
        number, since = running.pop(pid, (-1, 0.0))
        if stopping or number < 0:
            continue
        lived = time.monotonic() - since
        logger.error("worker %d ended with %d; starting it again", number, os.waitstatus_to_exitcode(status))
        pauses[number] = min(pauses[number] * 2 or 0.1, _LONGEST_PAUSE) if lived < _QUICK else 0.0
        time.sleep(pauses[number])
        if not stopping:
            start(number)
    return 0
