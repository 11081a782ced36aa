"""The data sets that are measured, and where their data lie."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

# Modules of this folder; each has SETS, a dict from name to a function that measures and gives scores.
MODULES = ("m4", "load", "nab", "maintenance", "fraud", "text", "threat", "geoip", "drift")
SHOWN = Path(__file__).resolve().parents[3] / "shared" / "data"


@dataclass(frozen=True, slots=True)
class Score:
    """One figure; `published` is what it is to be compared with, `settings` what makes it repeatable."""

    set: str
    metric: str
    value: float
    published: float | None = None
    settings: dict[str, Any] = field(default_factory=dict)


Measure = Callable[[Path], list[Score]]


def data_folder() -> Path:
    """Where the data sets lie: ACCURACY_DATA, or `shared/data` beside the checkout."""
    return Path(os.environ.get("ACCURACY_DATA", SHOWN))


def test_folder() -> Path | None:
    """A folder of test files kept back, in the formats of the shown ones (ACCURACY_TEST, or `--test`); None to measure
    on a split of the shown data."""
    given = os.environ.get("ACCURACY_TEST")
    return Path(given) if given else None


def find_sets() -> dict[str, Measure]:
    """All sets by name."""
    found: dict[str, Measure] = {}
    for name in MODULES:
        found |= import_module(f"benchmarks.accuracy.{name}").SETS
    return found
