"""A circuit breaker: after failures in a row, calls fail at once; now and then one is let through to see."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Breaker:
    """Opens after `failures` in a row. After `cool` seconds one probe is allowed; each failed probe doubles
    the wait, up to `longest`. Thread-safe; `clock` gives monotonic seconds."""

    def __init__(
        self,
        *,
        failures: int = 3,
        cool: float = 1.0,
        longest: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit, self._cool, self._longest, self._clock = failures, cool, longest, clock
        self._lock = threading.Lock()
        self._failed = 0
        self._wait = cool
        self._open_until: float | None = None

    @property
    def open(self) -> bool:
        """Whether calls are refused now (a probe may still be due)."""
        return self._open_until is not None

    def allow(self) -> bool:
        """Whether to call. While open, true for one caller per wait: the probe."""
        with self._lock:
            if self._open_until is None:
                return True
            now = self._clock()
            if now < self._open_until:
                return False
            self._open_until = now + self._wait  # the next probe, should this one never report
            return True

    def success(self) -> None:
        """A call worked: close."""
        with self._lock:
            self._failed, self._wait, self._open_until = 0, self._cool, None

    def failure(self) -> None:
        """A call failed: count it, open at the limit, wait longer when it was a probe."""
        with self._lock:
            self._failed += 1
            if self._open_until is not None:
                self._wait = min(self._wait * 2, self._longest)
            if self._open_until is not None or self._failed >= self._limit:
                self._open_until = self._clock() + self._wait
