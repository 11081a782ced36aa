"""Wall-clock time as an argument: the only module of the engine that asks what time it is or sleeps."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Source of wall-clock time."""

    def now(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000_000

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class FixedClock:
    """A clock that tests move by hand; `sleep` moves it forward without waiting."""

    def __init__(self, now: int = 0) -> None:
        self.millis = now

    def now(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        return self.millis

    def sleep(self, seconds: float) -> None:
        """Move the clock."""
        self.millis += int(seconds * 1000)
