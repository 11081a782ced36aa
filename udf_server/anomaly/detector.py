"""One number of one series: its surprise, what was expected, and the bounds of the usual."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from udf_server.anomaly.season import Season
from udf_server.anomaly.tails import Tails

PARTS: Final = ("SEASON", "WEEKDAY", "LEVEL", "CHANGE", "DRIFT", "UNREST")
_RECENT: Final = 5  # values whose mean is the drift's level
_UNREST: Final = 48  # changes whose mean size is the unrest
_APART: Final = 12  # rows between the unrests that are learned: neighbours share most of their changes
_FIRST: Final = 32  # distances between values that tell the interval
_FLOOR: Final = 1e-3  # the least spread of a tail, in usual deviations


@dataclass(frozen=True, slots=True)
class Finding:
    """`surprise` in decades, by part; what was expected, None when nothing is known yet, and the usual's bounds."""

    parts: dict[str, float]
    expected: float | None
    low: float | None
    high: float | None

    @property
    def surprise(self) -> float:
        """Of all parts together."""
        return math.fsum(self.parts.values())


class Detector:
    """Six views of a series, each with its own tails: the distance from what was usual at this time of the period, and
    on this weekday, the value itself, its change, the mean of the last five, and the mean size of the last 48 changes.
    Times in milliseconds, ascending."""

    def __init__(self) -> None:
        self.tails = {part: Tails() for part in PARTS}
        self.season: Season | None = None
        self.recent: list[float] = []
        self.changes: list[float] = []  # sizes of the last ones
        self.gaps: list[int] | None = []  # distances, until they told the interval
        self.first: list[tuple[int, float]] = []
        self.time = 0
        self.mean = 0.0
        self.deviation = 0.0  # mean distance from the mean

    def update(self, time: int, value: float) -> Finding:
        """Judge a value by what came before it, then learn it."""
        usual = self.season.usual(time) if self.season else None
        views = self._views(time, value, usual)
        floor = _FLOOR * self.deviation * 3.0 + 1e-12 + 1e-9 * abs(value)
        parts = {part: self.tails[part].surprise(v, floor) for part, v in views.items()}
        finding = Finding(parts, *self._expected(usual))
        for part, v in views.items():
            if part != "UNREST" or self.tails["LEVEL"].count % _APART == 0:
                self.tails[part].learn(v)
        self._learn(time, value)
        return finding

    def judge(self, time: int, value: float) -> Finding:
        """As `update`, without learning: for a row that comes late or again."""
        usual = self.season.usual(time) if self.season else None
        floor = _FLOOR * self.deviation * 3.0 + 1e-12 + 1e-9 * abs(value)
        views = self._views(time, value, usual)
        parts = {part: self.tails[part].surprise(v, floor) for part, v in views.items()}
        return Finding(parts, *self._expected(usual))

    def _views(self, time: int, value: float, usual: tuple[float, float, float] | None) -> dict[str, float]:
        views = {"LEVEL": value}
        if usual is not None:
            views["SEASON"] = _outside(value, usual)
        if usual is not None and self.season is not None:
            weekday = self.season.usual_weekday(time)
            if weekday is not None:
                views["WEEKDAY"] = _outside(value, weekday)
        if self.recent:
            views["CHANGE"] = value - self.recent[-1]
        if len(self.changes) == _UNREST:
            changes = (*self.changes[1:], abs(value - self.recent[-1]))
            views["UNREST"] = math.fsum(changes) / _UNREST
        window = [*self.recent, value][-_RECENT:]
        views["DRIFT"] = math.fsum(window) / len(window)
        return views

    def _expected(
        self, usual: tuple[float, float, float] | None
    ) -> tuple[float | None, float | None, float | None]:
        if usual is not None:
            tails = self.tails["SEASON"]
            below, above = tails.limits if tails.count else (0.0, 0.0)
            return usual[1], usual[0] + min(below, 0.0), usual[2] + max(above, 0.0)
        if not self.recent:
            return None, None, None
        return math.fsum(self.recent) / len(self.recent), *self.tails["LEVEL"].limits

    def _learn(self, time: int, value: float) -> None:
        if self.gaps is not None:
            if self.recent:
                self.gaps.append(time - self.time)
            self.first.append((time, value))
            if len(self.gaps) >= _FIRST:
                self.season = Season.of_interval(median(self.gaps))
                if self.season is not None:
                    for earlier in self.first:
                        self.season.learn(*earlier)
                self.gaps, self.first = None, []
        elif self.season is not None:
            self.season.learn(time, value)
        if self.recent:
            self.changes = [*self.changes, abs(value - self.recent[-1])][-_UNREST:]
        self.time = time
        self.recent = [*self.recent, value][-_RECENT:]
        count = self.tails["LEVEL"].count
        self.mean += (value - self.mean) / count
        self.deviation += (abs(value - self.mean) - self.deviation) / count

    def state(self) -> dict[str, Any]:
        """For `packing`: JSON values, and at most one array."""
        season = self.season.state() if self.season else {}
        return {
            "tails": {part: [t.count, t.high, t.low] for part, t in self.tails.items()},
            "recent": self.recent,
            "changes": self.changes,
            "gaps": self.gaps,
            "first": self.first,
            "numbers": [self.time, self.mean, self.deviation],
            "season_at": season.get("at"),
            **({"season": season["values"]} if season else {}),
        }

    @classmethod
    def of_state(cls, state: dict[str, Any]) -> Detector:
        """What `state` gave."""
        made = cls()
        # One that was kept before a view came to be learns it from now on.
        made.tails |= {part: Tails(*given) for part, given in state["tails"].items()}
        made.changes = state.get("changes", [])
        made.recent, made.gaps = state["recent"], state["gaps"]
        made.first = [(time, value) for time, value in state["first"]]
        made.time, made.mean, made.deviation = state["numbers"]
        if state["season_at"] is not None:
            made.season = Season.of_state({"at": state["season_at"], "values": state["season"]})
        return made


def _outside(value: float, usual: tuple[float, float, float]) -> float:
    """How far a value is above or below a range; 0 within."""
    low, _, high = usual
    return value - high if value > high else min(value - low, 0.0)
