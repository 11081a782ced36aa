"""Watches the distributions of one model version as rows stream by, and says when they have moved for good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from udf_server.drift.bins import SCORE, Reference, jensen_shannon, psi, threshold

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WINDOW: Final = 1000
PERSIST: Final = 2
FALSE_ALARMS: Final = 0.01  # of a thousand windows of rows like the reference's, ten begin an alarm
EFFECT: Final = 0.02  # a PSI below that is no reason to call anybody, however sure we are of it


@dataclass(frozen=True, slots=True)
class DriftSettings:
    """`window` rows are judged together; `persist` windows in a row must be over the threshold, which is set so that
    the share of windows of unchanged rows at which any quantity raises an alarm is `false_alarms`."""

    window: int = WINDOW
    persist: int = PERSIST
    false_alarms: float = FALSE_ALARMS
    effect: float = EFFECT


@dataclass(frozen=True, slots=True)
class Finding:
    """One quantity in one window: `over` its threshold, and `alarm` once that has persisted."""

    name: str
    psi: float
    distance: float
    threshold: float
    over: bool
    alarm: bool


class DriftMonitor:
    """Counts rows into the reference's bins; every full window gives a finding for each quantity."""

    def __init__(self, reference: Reference, settings: DriftSettings | None = None) -> None:
        import numpy as np

        self.reference = reference
        self.settings = settings or DriftSettings()
        self.windows = 0
        given = self.settings
        # All quantities together raise the stated rate, and each needs `persist` windows: for independent windows the
        # chance of that is the single one's to that power.
        each = 1.0 - (1.0 - given.false_alarms) ** (1.0 / len(reference.names))
        rate = each ** (1.0 / given.persist)
        self._base = [b.counts for b in reference.binnings.values()]
        self._limits = [max(threshold(c, given.window, rate), given.effect) for c in self._base]
        self._seen = [np.zeros(len(c)) for c in self._base]
        self._rows = 0
        self._runs = [0] * len(self._base)

    def add(self, matrix: Floats, scores: Floats) -> list[list[Finding]]:
        """Count rows (rows by features, in the reference's order) with their scores; the findings of each window that
        became full."""
        found = []
        at = 0
        while at < len(scores):
            end = min(len(scores), at + self.settings.window - self._rows)
            for place, (name, binning) in enumerate(self.reference.binnings.items()):
                values = scores[at:end] if name == SCORE else matrix[at:end, place]
                self._seen[place] += binning.count(values)
            self._rows += end - at
            at = end
            if self._rows == self.settings.window:
                found.append(self._judge())
        return found

    def state(self) -> dict[str, Any]:
        """The window under way, for `restore`, here or in another process."""
        import numpy as np

        window = self.settings.window
        return {"window": window, "rows": self._rows, "runs": self._runs, "seen": np.concatenate(self._seen)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; one of other bins or another window, or none, starts anew."""
        import numpy as np

        sizes = [len(c) for c in self._base]
        if state.get("window") != self.settings.window or len(state.get("seen", ())) != sum(sizes):
            state = {"rows": 0, "runs": [0] * len(sizes), "seen": np.zeros(sum(sizes))}
        self._rows, self._runs = state["rows"], list(state["runs"])
        self._seen = np.split(state["seen"], np.cumsum(sizes)[:-1])

    def _judge(self) -> list[Finding]:
        self.windows += 1
        findings = []
        for at, name in enumerate(self.reference.names):
            base, seen, limit = self._base[at], self._seen[at], self._limits[at]
            index = float(psi(base, seen))
            self._runs[at] = self._runs[at] + 1 if index > limit else 0
            findings.append(
                Finding(
                    name,
                    index,
                    float(jensen_shannon(base, seen)),
                    limit,
                    index > limit,
                    self._runs[at] >= self.settings.persist,
                )
            )
            seen[:] = 0.0
        self._rows = 0
        return findings
