"""How many records go into one transaction: as many as the time allows, learned from those before."""

from __future__ import annotations

from typing import Final

FIRST: Final = 500
SMALLEST: Final = 10  # a transaction costs milliseconds, however few records it has


class BatchSize:
    """`rows` is the next batch's largest size, at most `limit`. A batch that took longer than `seconds` makes it
    smaller by as much; one that was quick makes it larger, at most to four times that batch's. Only the last batch
    counts, so that a slow one, like the first with all that it has to wait for, is soon forgotten."""

    def __init__(self, seconds: float, limit: int) -> None:
        self._seconds, self._limit = seconds, limit
        self.rows = min(FIRST, limit)

    def observe(self, rows: int, seconds: float) -> None:
        """A batch of so many rows took so long."""
        fitting = int(rows * min(4.0, self._seconds / max(seconds, 1e-6)))
        if seconds > self._seconds:
            self.rows = min(self.rows, max(fitting, SMALLEST))
        else:
            self.rows = min(self._limit, max(self.rows, fitting))
