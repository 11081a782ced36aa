"""What a benchmark hands back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

KSQLDB = "ksqlDB 7.9.1, one stream thread, 2 cores"


@dataclass(frozen=True)
class Result:
    """One figure. `peer_value` is in the same unit; where there is a range of them, its better end."""

    name: str
    value: float
    unit: str
    peer: str | None = None
    peer_value: float | None = None

    @property
    def ratio(self) -> float | None:
        """Value through peer's value; for seconds and MB a ratio below 1 is the better one."""
        return None if self.peer_value is None else round(self.value / self.peer_value, 2)

    def entry(self) -> dict[str, Any]:
        """As it stands in the JSON file."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "peer": self.peer,
            "peer_value": self.peer_value,
            "ratio": self.ratio,
        }


@dataclass(frozen=True)
class Benchmark:
    """A named piece of work that measures one figure or more."""

    name: str
    run: Callable[[], Iterable[Result]]
