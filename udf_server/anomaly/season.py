"""What a series showed at the same time of day (or of the hour, or of the week) before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SECOND: Final = 1000
DAY: Final = 86_400 * SECOND
_SLOTS: Final = 288  # a period, at most
_PERIODS: Final = 30  # remembered
_AROUND: Final = 2  # slots before and after that count as the same time
_OUTSIDE: Final = 0.15  # share of the earlier values left out at each end
_FEWEST: Final = 5
_WEEK: Final = 7


def period_of(interval: float) -> int:
    """The rhythm to look for in a series with a value every `interval` milliseconds; 0 for none."""
    if interval < 30 * SECOND:
        return DAY // 24
    if interval <= DAY / 4:
        return DAY
    return 7 * DAY if interval <= 1.75 * DAY else 0


class Season:
    """The last 30 periods in slots of time; a slot keeps its latest value. Times in milliseconds."""

    def __init__(self, period: int, slots: int) -> None:
        import numpy as np

        self.period = period
        self.slots = slots
        self.values: NDArray[np.float32] = np.full(slots * _PERIODS, np.nan, np.float32)
        self.first = -1  # slot numbers since the epoch
        self.last = -1
        back = np.arange(1, _PERIODS)[:, None] * slots - np.arange(-_AROUND, _AROUND + 1)[None, :]
        self._offsets = -back.ravel()
        self._same_weekday = -back[_WEEK - 1 :: _WEEK].ravel()

    @classmethod
    def of_interval(cls, interval: float) -> Season | None:
        """For a series with that usual distance between values; None where no rhythm is to be expected."""
        period = period_of(interval) if interval > 0 else 0
        slots = min(_SLOTS, round(period / interval)) if period else 0
        return cls(period, slots) if slots > 2 * _AROUND else None

    def usual(self, time: int) -> tuple[float, float, float] | None:
        """Low, median and high of the values at that time in earlier periods; None before two have passed."""
        return self._range(time, self._offsets, 2, _FEWEST)

    def usual_weekday(self, time: int) -> tuple[float, float, float] | None:
        """As `usual`, of the same weekday only, for periods of a day; None before two weeks have passed."""
        return self._range(time, self._same_weekday, 2 * _WEEK, _FEWEST + 3) if self.period == DAY else None

    def _range(
        self, time: int, offsets: NDArray[np.int64], periods: int, fewest: int
    ) -> tuple[float, float, float] | None:
        import numpy as np

        at = time * self.slots // self.period
        if self.first < 0 or at - self.first < periods * self.slots:
            return None
        slots = at + offsets
        found = self.values[
            slots[(slots >= self.first) & (slots > self.last - self.values.size)] % self.values.size
        ]
        found = np.sort(found[~np.isnan(found)])
        if found.size < fewest:
            return None
        cut = int(_OUTSIDE * found.size)
        return float(found[cut]), float(found[found.size // 2]), float(found[-1 - cut])

    def learn(self, time: int, value: float) -> None:
        """Put a value in its slot; slots that were passed over become empty."""
        at = time * self.slots // self.period
        size = self.values.size
        if self.first < 0:
            self.first = at
        elif at > self.last:
            for slot in range(self.last + 1, min(at, self.last + 1 + size)):
                self.values[slot % size] = float("nan")
        elif at <= self.last - size:
            return
        self.last = max(self.last, at)
        self.values[at % size] = value

    def state(self) -> dict[str, Any]:
        """For `packing`."""
        return {"values": self.values, "at": [self.period, self.slots, self.first, self.last]}

    @classmethod
    def of_state(cls, state: dict[str, Any]) -> Season:
        """What `state` gave."""
        period, slots, first, last = state["at"]
        made = cls(period, slots)
        made.values, made.first, made.last = state["values"], first, last
        return made
