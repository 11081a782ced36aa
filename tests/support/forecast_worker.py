"""A scheduler in a process of its own, against a live server, that can be paused, killed and have a wrong clock.

`python -m tests.support.forecast_worker SERVER STATE HOLDER [AHEAD] [PAUSE]`: looks ten times a second, as
`ksqlkit forecast schedule` does, its clock AHEAD milliseconds before the machine's. It says `model` for each one
that it begins, `ran ROWS`, `lost` and `failed CODE`, and `looked` after each look, one a line. With PAUSE it says
`paused` there ("model"; "rows", before they are written; "switch", just before a run becomes the current one) and
goes on at a line of input. It ends with its input.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from forecasts.job import Outcome
from forecasts.scheduler import run_due
from forecasts.spec import Spec
from forecasts.store import Lease, Lost, Store
from ksqlkit.client.http import HttpClient
from ksqlkit.errors import KsqlkitError

HOUR = 3_600_000
LEASE = 2_000  # milliseconds
HOURS = 200  # of data
SPEC = Spec(
    "f",
    "S",
    ("K",),
    "V",
    "T",
    time="T0",
    horizon=24,
    models=("theta",),
    seasons=(24,),
    folds=2,
    schedule="0 * * * *",
)


class Worker:
    """The loop and its pauses."""

    def __init__(self, pause: str) -> None:
        self._pause, self._go, self.ended = pause, threading.Event(), threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for _ in sys.stdin:
            self._go.set()
        self.ended.set()
        self._go.set()

    def at(self, place: str) -> None:
        """Wait here if this is the place."""
        if place == self._pause:
            say("paused")
            self._go.wait()


def say(line: str) -> None:
    """A line for the test, at once."""
    print(line, flush=True)


def main(server: str, state: str, holder: str, ahead: str = "0", pause: str = "") -> None:
    """Look, run, say what happened."""
    worker = Worker(pause)

    class PausingClient(HttpClient):
        def insert(self, target: str, rows: Iterable[Mapping[str, Any]]) -> int:
            """Pause first."""
            if target.endswith("_ROWS"):
                worker.at("rows")
            return super().insert(target, rows)

    class PausingStore(Store):
        def renew(self, lease: Lease, now: int) -> None:
            """Pause first."""
            worker.at("switch")
            super().renew(lease, now)

    def now() -> int:
        return int(ahead) + int(1000 * time.time())

    def model(_spec: Spec, _name: str, _share: float) -> None:
        say("model")
        worker.at("model")

    def report(_spec: Spec, outcome: Outcome | KsqlkitError | None) -> None:
        if isinstance(outcome, Lost):
            say("lost")
        elif isinstance(outcome, KsqlkitError):
            say(f"failed {outcome.exit_code}")
        elif outcome is not None:
            say(f"ran {outcome.rows}")

    client, store = PausingClient(server), PausingStore(Path(state), lease=LEASE)
    say("ready")
    while not worker.ended.is_set():
        run_due(client, [SPEC], store, now, holder, report, on_model=model)
        say("looked")
        worker.ended.wait(0.1)


if __name__ == "__main__":
    main(*sys.argv[1:])
