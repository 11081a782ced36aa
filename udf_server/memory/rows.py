"""Which rows of a series were seen: so that a row that comes again is answered again and learned once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

REMEMBERED: Final = 256  # latest rows of a series whose times and answers are kept
PARTITIONS: Final = 16  # of a series whose offsets are kept

Place = tuple[str, int, int]  # topic, partition, offset


class SeenRows:
    """The latest times with their answers, and the highest offset of each topic's partition."""

    def __init__(self, state: Sequence[Any] = ((), ())) -> None:
        self.answers: dict[int, Any] = {int(at): answer for at, answer in state[0]}
        self.offsets: dict[str, int] = {str(place): int(offset) for place, offset in state[1]}

    def seen(self, time: int, place: Place | None) -> bool:
        """Whether the row was learned: by its place in its topic where that is given, else by its time."""
        if place is not None:
            topic, partition, offset = place
            return offset <= self.offsets.get(f"{topic}-{partition}", -1)
        return time in self.answers

    def answer(self, time: int) -> Any:
        """What was answered at a time, or None when that is too long ago."""
        return self.answers.get(time)

    def add(self, time: int, place: Place | None, answer: Any) -> None:
        """Note a row that was learned."""
        self.answers.pop(time, None)
        self.answers[time] = answer
        while len(self.answers) > REMEMBERED:
            del self.answers[next(iter(self.answers))]
        if place is not None:
            topic, partition, offset = place
            name = f"{topic}-{partition}"
            self.offsets.pop(name, None)
            self.offsets[name] = offset
            while len(self.offsets) > PARTITIONS:
                del self.offsets[next(iter(self.offsets))]

    def state(self) -> list[Any]:
        """For `packing`."""
        return [list(self.answers.items()), list(self.offsets.items())]
