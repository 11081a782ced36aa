"""Sends alerts on a thread of their own, so that a receiver that hangs holds up nothing but itself."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

from udf_server.drift.alerts import Alert, Send
from udf_server.metrics import Metrics

logger = logging.getLogger("udf_server")

LIMIT: Final = 1000  # alerts that wait; past that the oldest are dropped
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
PATIENCE: Final = 900.0  # seconds for which an alert is tried again
CLOSE_SECONDS: Final = 2.0


class Outbox:
    """A `Send` that only puts alerts in a queue; one thread sends them in order. What fails is tried again after 1, 2,
    4 ... 30 seconds, up to a quarter of an hour; what the receiver refuses for good (4xx) is not."""

    def __init__(
        self,
        send: Send,
        target: str,
        metrics: Metrics,
        *,
        limit: int = LIMIT,
        first_pause: float = FIRST_PAUSE,
        patience: float = PATIENCE,
    ) -> None:
        self._send, self._target, self._metrics = send, target, metrics
        self._limit, self._first_pause, self._patience = limit, first_pause, patience
        self._waiting: deque[tuple[float, Alert]] = deque()
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def __call__(self, alerts: Sequence[Alert]) -> None:
        """Queue alerts, and return at once."""
        now = time.monotonic()
        with self._changed:
            self._waiting.extend((now, alert) for alert in alerts)
            over = len(self._waiting) - self._limit
            for _ in range(over):
                self._waiting.popleft()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"alerts {self._target}", daemon=True)
                self._thread.start()
            self._changed.notify()
        if over > 0:
            self._drop(over, "full")

    def close(self, timeout: float = CLOSE_SECONDS) -> None:
        """Try once more to send what waits, and end the thread; what is left after the timeout (s) is dropped."""
        self._closing.set()
        with self._changed:
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout)
        with self._changed:
            left = len(self._waiting)
            self._waiting.clear()
        if left:
            self._drop(left, "closed")

    def _run(self) -> None:
        failures = 0
        while batch := self._next():
            try:
                self._send([alert for _, alert in batch])
            except Exception as error:  # each receiver has errors of its own
                failures += 1
                logger.error("%d alerts could not be sent to %s: %s", len(batch), self._target, error)
                if _refused(error):
                    self._drop(len(batch), "refused")
                else:
                    self._put_back(batch)
                if self._closing.is_set():
                    return
                self._metrics.alert_retries.add(target=self._target)
                pause = min(self._first_pause * 2.0 ** (failures - 1), LONGEST_PAUSE)
                self._closing.wait(pause * random.uniform(0.75, 1.25))
            else:
                failures = 0
                self._metrics.alerts_sent.add(len(batch), target=self._target)

    def _next(self) -> list[tuple[float, Alert]]:
        """All that waits, as soon as there is any; nothing once the box is closed and empty."""
        with self._changed:
            while not self._waiting and not self._closing.is_set():
                self._changed.wait()
            batch = list(self._waiting)
            self._waiting.clear()
            return batch

    def _put_back(self, batch: list[tuple[float, Alert]]) -> None:
        """What failed goes before what came since, but for what is too old, and no more than the box holds."""
        oldest = time.monotonic() - self._patience
        kept = [(at, alert) for at, alert in batch if at > oldest]
        with self._changed:
            room = max(self._limit - len(self._waiting), 0)
            fitting = kept[len(kept) - min(room, len(kept)) :]
            self._waiting.extendleft(reversed(fitting))
        for count, reason in ((len(batch) - len(kept), "old"), (len(kept) - len(fitting), "full")):
            if count:
                self._drop(count, reason)

    def _drop(self, count: int, reason: str) -> None:
        self._metrics.alerts_dropped.add(count, target=self._target, reason=reason)
        logger.error("%d alerts for %s were dropped: %s", count, self._target, reason)


def _refused(error: Exception) -> bool:
    """Whether the receiver said that it will never take it."""
    status = getattr(getattr(error, "response", None), "status_code", 0)
    return 400 <= status < 500 and status not in (408, 429)
