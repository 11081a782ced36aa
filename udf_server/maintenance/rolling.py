"""Features of a machine's run so far: the same row by row in service as over whole runs in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WINDOWS: Final = (5, 15, 30)
KINDS: Final = (*(f"MEAN_{w}" for w in WINDOWS), "SINCE_START", "TURN", "SINCE_ALL")
_START: Final = 20  # rows that tell how the machine was when new


def feature_names(sensors: Sequence[str]) -> tuple[str, ...]:
    """Names of the features, in the order of `Run.add`: each sensor's means over the windows, and how its mean of 15
    differs from the first 20, its mean of 5 from that of 30, and its mean of 15 from the whole run's."""
    return ("ROWS", *(f"{sensor}_{kind}" for kind in KINDS for sensor in sensors))


class Run:
    """What is kept of a run: its last 30 rows, the sum of its first 20 and of all."""

    def __init__(self, width: int) -> None:
        import numpy as np

        self.rows = 0
        self.recent = np.empty((0, width))
        self.first = np.zeros(width)
        self.total = np.zeros(width)

    def add(self, sensors: Sequence[float]) -> Floats:
        """Learn a row and give the features of the run up to it."""
        import numpy as np

        row = np.asarray(sensors, dtype=np.float64)
        self.rows += 1
        self.recent = np.vstack((self.recent[-(WINDOWS[-1] - 1) :], row))
        if self.rows <= _START:
            self.first = self.first + row
        self.total = self.total + row
        short, middle, long = (self.recent[-w:].mean(axis=0) for w in WINDOWS)
        start = self.first / min(self.rows, _START)
        parts = (short, middle, long, middle - start, short - long, middle - self.total / self.rows)
        features: Floats = np.concatenate(([float(self.rows)], *parts))
        return features

    def state(self) -> dict[str, Any]:
        """For `packing`."""
        return {"rows": self.rows, "recent": self.recent, "first": self.first, "total": self.total}

    @classmethod
    def of_state(cls, state: dict[str, Any]) -> Run:
        """What `state` gave."""
        made = cls(len(state["first"]))
        made.rows, made.recent, made.first, made.total = (
            state[k] for k in ("rows", "recent", "first", "total")
        )
        return made


def features_of_runs(series: Sequence[Any], sensors: Floats) -> Floats:
    """The features of every row of many runs, each in time order; `sensors` is rows by sensors."""
    import numpy as np

    runs: dict[Any, Run] = {}
    out = np.empty((len(sensors), len(feature_names(range(sensors.shape[1])))))  # type: ignore[arg-type]
    for at, (name, row) in enumerate(zip(series, sensors, strict=True)):
        if name not in runs:
            runs[name] = Run(sensors.shape[1])
        out[at] = runs[name].add(row)
    return out
