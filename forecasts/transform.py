"""Each series on a scale of its own, so that models need not care whether it counts in billions or billionths.

A series of positive values is worked on in logarithms: its noise and its seasons grow with its level, as they mostly do
in the world, and no forecast of it can fall below zero. Any other is shifted and divided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from forecasts.series import Matrix

DEEPEST = 1e-3  # a positive series whose least value is a smaller share of its median stays linear
REACH = 1.0  # forecasts stay within the range seen, widened by this many times itself


@dataclass(frozen=True, slots=True)
class Transform:
    """Per series: whether logarithms are taken, and what is then subtracted and divided by; and the range seen."""

    log: NDArray[np.bool_]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def fit(cls, values: Matrix) -> Transform:
        """Learn from [series, time]; NaN is skipped. A series that never changes gets the scale 1."""
        import numpy as np

        known = np.isfinite(values)
        count = np.maximum(known.sum(1), 1)
        least = np.where(known, values, np.inf).min(1)
        most = np.where(known, values, -np.inf).max(1)
        mean = np.where(known, values, 0.0).sum(1) / count
        log = known.any(1) & (least > 0) & (least > DEEPEST * mean) & (most < np.inf) & (most > least)
        work = np.where(known, values, 1.0)
        work = np.where(log[:, None], np.log(np.where(work > 0, work, 1.0)), work)
        work = np.where(known, work, 0.0)
        centre = work.sum(1) / count
        spread = np.where(known, work - centre[:, None], 0.0)
        scale = np.sqrt((spread / _biggest(spread)[:, None]) ** 2 @ np.ones(values.shape[1]) / count)
        scale = scale * _biggest(spread)
        tiny = 1e-12 * np.maximum(np.abs(centre), 1e-300)
        scale = np.where(np.isfinite(scale) & (scale > tiny), scale, 1.0)
        width = np.where(known.any(1), np.maximum(most - least, 0.0), 0.0)
        room = np.where(width > 0, width, np.abs(mean))
        low = np.where(log, least / (1 + REACH) ** 2, least - REACH * room)
        low = np.where(~log & (least >= 0), np.maximum(low, 0.0), low)
        return cls(log, centre, scale, low, most + REACH * room)

    def forward(self, values: Matrix) -> Matrix:
        """Values as models see them. What a logarithm cannot take (a positive series gone to zero) counts as its lowest
        allowed value."""
        import numpy as np

        floor = np.where(self.log, self.low, -np.inf)[:, None]
        kept = np.where(np.isfinite(values), np.maximum(values, floor), values)
        safe = np.where(self.log[:, None] & np.isfinite(kept), kept, 1.0)
        work = np.where(self.log[:, None] & np.isfinite(kept), np.log(safe), kept)
        result: Matrix = (work - self.centre[:, None]) / self.scale[:, None]
        return result

    def back(self, values: Matrix) -> Matrix:
        """Forecasts in the series' own unit, held to the range seen and widened."""
        import numpy as np

        safe = np.nan_to_num(values, nan=0.0, posinf=1e6, neginf=-1e6)
        result: Matrix = np.clip(self.free(safe), self.low[:, None], self.high[:, None])
        return result

    def free(self, values: Matrix) -> Matrix:
        """Values in the series' own unit, as they are; those of a series that was never negative are not either."""
        import numpy as np

        work = values * self.scale[:, None] + self.centre[:, None]
        work = np.where(self.log[:, None], np.exp(np.clip(work, -700.0, 700.0)), work)
        result: Matrix = np.where(self.low[:, None] >= 0, np.maximum(work, 0.0), work)
        return result


def _biggest(values: Matrix) -> NDArray[np.float64]:
    import numpy as np

    found = np.abs(values).max(1) if values.shape[1] else np.ones(len(values))
    return np.where(found > 0, found, 1.0)
