"""How many records go into one transaction: as many as the time allows, learned from those before."""

from __future__ import annotations

from typing import Final

from udf_server.batching.latency import LatencyModel

FIRST: Final = 500
SMALLEST: Final = 10  # a transaction costs milliseconds, however few records it has


class BatchSize:
    """`rows` is the next batch's largest size: predicted to be through in `seconds`, at most twice the largest one that
    was seen, at most `limit`."""

    def __init__(self, seconds: float, limit: int) -> None:
        self._seconds, self._limit = seconds, limit
        self._model = LatencyModel()
        self.rows = min(FIRST, limit)

    def observe(self, rows: int, seconds: float) -> None:
        """A batch of so many rows took so long."""
        self._model.observe(rows, seconds)
        grown = min(self._limit, max(self.rows, 2 * rows))
        self.rows = max(min(SMALLEST, self._limit), self._model.rows_within(self._seconds, grown))
