"""A series of one or several numbers a row: their detectors, how they go together, and what was just reported."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from udf_server.anomaly.detector import Detector, Finding
from udf_server.anomaly.joint import Joint

HALF: Final = 9.0  # decades of surprise, over the parts, that score 0.5
MOST_NUMBERS: Final = 32
_FADE: Final = 200  # rows over which the last report fades
_LINGER: Final = 4000  # rows over which its trace fades, by a factor of e
_QUIET: Final = 0.45
_MOST: Final = 15.0  # decades that leave a trace


@dataclass(frozen=True, slots=True)
class Scored:
    """The score, 0..1, and what it was made of: a finding a number, and the surprise of their combination."""

    score: float
    findings: tuple[Finding, ...]
    joint: float = 0.0


class Series:
    """State of a series. The surprise of a row is that of its most surprising number and of the numbers together;
    the score is `surprise / (surprise + 9)`, kept below 0.45 while something at least as surprising was just reported:
    an anomaly that lasts raises its alarm at its start, and again when it gets worse."""

    def __init__(self, width: int) -> None:
        self.detectors = [Detector() for _ in range(width)]
        self.joint = Joint(width) if width > 1 else None
        self.rows = 0
        self.peak = 0.0
        self.peak_row = 0
        self.trace = 0.0

    @property
    def time(self) -> int:
        """Of the latest row, in milliseconds."""
        return self.detectors[0].time

    def update(self, time: int, values: Sequence[float]) -> Scored:
        """Judge a row and learn it. Times ascend."""
        findings = tuple(d.update(time, v) for d, v in zip(self.detectors, values, strict=True))
        joint = self.joint.update(values) if self.joint else 0.0
        surprise = max(f.surprise for f in findings) + joint
        self.rows += 1
        self.trace *= math.exp(-1.0 / _LINGER)
        told = max(self.peak * (1.0 - (self.rows - self.peak_row) / _FADE), self.trace)
        score = surprise / (surprise + HALF)
        if surprise > told:
            self.peak, self.peak_row = surprise, self.rows
            self.trace = max(self.trace, min(surprise, _MOST))
        else:
            score *= _QUIET
        return Scored(score, findings, joint)

    def judge(self, time: int, values: Sequence[float]) -> Scored:
        """Judge a row that comes late, without learning it."""
        findings = tuple(d.judge(time, v) for d, v in zip(self.detectors, values, strict=True))
        joint = self.joint.judge(values) if self.joint else 0.0
        surprise = max(f.surprise for f in findings) + joint
        return Scored(surprise / (surprise + HALF), findings, joint)

    def state(self) -> dict[str, Any]:
        """For `packing`."""
        state: dict[str, Any] = {
            "rows": self.rows,
            "told": [self.peak, self.peak_row, self.trace],
            "joint": self.joint.state() if self.joint else None,
        }
        plain = []
        for number, detector in enumerate(self.detectors):
            given = detector.state()
            if "season" in given:
                state[f"season{number}"] = given.pop("season")
            plain.append(given)
        state["detectors"] = plain
        return state

    @classmethod
    def of_state(cls, state: dict[str, Any]) -> Series:
        """What `state` gave."""
        made = cls(0)
        for number, given in enumerate(state["detectors"]):
            made.detectors.append(Detector.of_state({**given, "season": state.get(f"season{number}")}))
        made.joint = Joint.of_state(state["joint"]) if state["joint"] else None
        made.rows = state["rows"]
        made.peak, made.peak_row, made.trace = state["told"]
        return made
