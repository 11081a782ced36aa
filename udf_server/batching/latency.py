"""What a batch of n rows will take: a line a*n + b learned from the batches that ran."""

from __future__ import annotations


class LatencyModel:
    """Exponentially weighted least squares of seconds on rows. Both coefficients stay at or above zero."""

    def __init__(self, decay: float = 0.95) -> None:
        self._decay = decay
        self._w = self._n = self._t = self._nn = self._nt = 0.0
        self.per_row = 0.0
        self.fixed = 0.0

    def observe(self, rows: int, seconds: float) -> None:
        """Learn from one finished batch."""
        d = self._decay
        self._w = self._w * d + 1.0
        self._n = self._n * d + rows
        self._t = self._t * d + seconds
        self._nn = self._nn * d + rows * rows
        self._nt = self._nt * d + rows * seconds
        spread = self._nn - self._n * self._n / self._w
        slope = (self._nt - self._n * self._t / self._w) / spread if spread > 1e-9 * self._nn else 0.0
        # Batches of one size say nothing of the slope: charge half to the rows, half to the call.
        if spread <= 1e-9 * self._nn:
            slope = 0.5 * self._t / self._n
        self.per_row = max(slope, 0.0)
        self.fixed = max((self._t - self.per_row * self._n) / self._w, 0.0)

    @property
    def known(self) -> bool:
        """Whether anything was learned yet."""
        return self._w > 0.0

    def predict(self, rows: int) -> float:
        """Seconds a batch of that size will take; 0 before anything is known."""
        return self.per_row * rows + self.fixed

    def rows_within(self, seconds: float, limit: int) -> int:
        """The largest batch, at least 1 and at most `limit`, predicted to finish in that time."""
        if not self.known or self.predict(limit) <= seconds:
            return limit
        if self.per_row <= 0.0:
            return 1
        return max(1, min(limit, int((seconds - self.fixed) / self.per_row)))
