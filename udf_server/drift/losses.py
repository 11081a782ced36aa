"""Watches whether a model is still right, as labels arrive, however late."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from udf_server.drift.bins import loss_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LOSS: Final = "loss"
WINDOW: Final = 500
_DRAWS: Final = 4000


class LossMonitor:
    """The mean loss of windows of labelled rows, against windows drawn from the reference's losses. An alarm begins
    after `persist` windows in a row over the threshold, at the stated rate of windows of an unchanged model."""

    def __init__(
        self, losses: Floats, *, window: int = WINDOW, persist: int = 2, false_alarms: float = 0.01
    ) -> None:
        import numpy as np

        chance = np.random.default_rng(7)
        base = (
            chance.choice(losses, (_DRAWS, len(losses))).mean(axis=1) if len(losses) < 4000 else losses.mean()
        )
        drawn = chance.choice(losses, (_DRAWS, window)).mean(axis=1) - base
        rate = false_alarms ** (1.0 / persist)
        self.expected = float(losses.mean())
        self.threshold = self.expected + float(np.quantile(drawn, 1.0 - rate))
        self.last = self.expected
        self.alarm = False
        self._window, self._persist = window, persist
        self._sum, self._rows, self._run = 0.0, 0, 0

    def add(self, scores: Floats, labels: Floats) -> int:
        """Take labelled rows; returns how many windows became full."""
        full = 0
        for loss in loss_of(scores, labels).tolist():
            self._sum += loss
            self._rows += 1
            if self._rows == self._window:
                self.last = self._sum / self._window
                self._run = self._run + 1 if self.last > self.threshold else 0
                self.alarm = self._run >= self._persist
                self._sum, self._rows = 0.0, 0
                full += 1
        return full

    def state(self) -> dict[str, Any]:
        """The window under way, for `restore`, here or in another process."""
        return {"losses": [self._sum, self._rows, self._run, self.last]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; none starts anew."""
        given = state.get("losses", (0.0, 0, 0, self.expected))
        self._sum, self._rows, self._run, self.last = given
        self.alarm = self._run >= self._persist
