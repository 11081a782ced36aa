"""Whether numbers that are each usual go together unusually: their distance from the others' company."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from udf_server.anomaly.tails import Tails

_PRIOR: Final = 10.0  # rows' worth of independence that the correlations start from
_SETTLED: Final = 10  # rows a number before the distances count
_FORGET: Final = 2000  # rows over which the correlations follow a change


class Joint:
    """The Mahalanobis distance from the running mean by the running covariance, with its own tail."""

    def __init__(self, width: int) -> None:
        import numpy as np

        self.mean = np.zeros(width)
        self.covariance = np.zeros((width, width))
        self.tails = Tails()
        self.rows = 0

    def judge(self, values: Sequence[float]) -> float:
        """Decades of surprise."""
        return self.tails.surprise(self._distance(values), 1e-3)

    def update(self, values: Sequence[float]) -> float:
        """Judge, then learn."""
        import numpy as np

        distance = self._distance(values)
        found = self.tails.surprise(distance, 1e-3)
        self.rows += 1
        if self.rows > _SETTLED * len(self.mean):  # earlier distances say how little was known
            self.tails.learn(distance)
        step = 1.0 / min(self.rows, _FORGET)
        off = np.asarray(values) - self.mean
        self.mean += step * off
        self.covariance += step * (np.outer(off, off) * (1.0 - step) - self.covariance)
        return found

    def _distance(self, values: Sequence[float]) -> float:
        import numpy as np

        scale = np.sqrt(np.diag(self.covariance)) + 1e-12
        weight = self.rows / (self.rows + _PRIOR)
        correlation = weight * self.covariance / np.outer(scale, scale)
        np.fill_diagonal(correlation, 1.0 + 1e-6)
        z = np.clip((np.asarray(values) - self.mean) / scale, -1e6, 1e6)
        return math.sqrt(max(float(z @ np.linalg.solve(correlation, z)), 0.0))

    def state(self) -> dict[str, Any]:
        """For `packing`: JSON values."""
        t = self.tails
        return {
            "mean": self.mean.tolist(),
            "covariance": self.covariance.tolist(),
            "tails": [t.count, t.high, t.low],
            "rows": self.rows,
        }

    @classmethod
    def of_state(cls, state: dict[str, Any]) -> Joint:
        """What `state` gave."""
        import numpy as np

        made = cls(len(state["mean"]))
        made.mean, made.covariance = np.array(state["mean"]), np.array(state["covariance"])
        made.tails, made.rows = Tails(*state["tails"]), state["rows"]
        return made
