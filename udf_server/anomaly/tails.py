"""How rare a number is among those seen before, past their largest and smallest too."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Sequence
from typing import Final

KEPT: Final = 40  # extremes a side
TAILS: Final = (20, 40)  # how many of them make the tail; the mean over both depends less on the choice
WARM: Final = 50  # numbers to see before any is called rare
SURE: Final = 300  # numbers to see before a surprise counts in full
_LN10: Final = math.log(10.0)


class Tails:
    """The extremes of a stream of numbers. Above the smallest of the kept ones the tail is taken as exponential
    with their mean excess (peaks over threshold), so that a number past all records still gets its size."""

    __slots__ = ("count", "high", "low")

    def __init__(self, count: int = 0, high: Sequence[float] = (), low: Sequence[float] = ()) -> None:
        self.count = count
        self.high = list(high)  # ascending
        self.low = list(low)  # of the negated numbers, ascending

    def surprise(self, value: float, floor: float) -> float:
        """Decades of rarity: 3 says that one in a thousand is as extreme. 0 for what is within the usual. `floor` is
        the least spread that the tail is given, in the numbers' unit."""
        if self.count < WARM:
            return 0.0
        found = max(
            _beyond(self.high, value, self.count, floor), _beyond(self.low, -value, self.count, floor)
        )
        return found * min(1.0, self.count / SURE)

    def learn(self, value: float) -> None:
        """Count one more number."""
        self.count += 1
        _keep(self.high, value)
        _keep(self.low, -value)

    @property
    def limits(self) -> tuple[float, float]:
        """Where the usual ends, below and above; of few numbers, the outer quarters are past it."""
        outer = min(len(self.high), max(1, self.count // 4))
        return -self.low[-outer], self.high[-outer]


def _beyond(kept: list[float], value: float, count: int, floor: float) -> float:
    if value <= kept[0]:
        return 0.0
    decades = 0.0
    for size in TAILS:
        tail = kept[-size:]
        excess = value - tail[0]
        if excess > 0.0:
            spread = max(math.fsum(tail) / len(tail) - tail[0], floor)
            decades += (excess / spread + math.log(count / len(tail))) / _LN10
    return decades / len(TAILS)


def _keep(kept: list[float], value: float) -> None:
    if len(kept) < KEPT:
        insort(kept, value)
    elif value > kept[0]:
        del kept[0]
        insort(kept, value)
