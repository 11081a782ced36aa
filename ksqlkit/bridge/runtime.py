"""The runtime jar: shipped in the wheel, or built in a checkout by `make bridge`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ksqlkit.data import data_path
from ksqlkit.errors import UserError

NAME: Final = "ksqlkit-bridge-runtime.jar"


def runtime_jar() -> Path:
    """Where it lies; raises UserError that says how to get one."""
    checkout = Path(__file__).resolve().parents[2] / "build" / "bridge" / NAME
    for path in (data_path(NAME), checkout):
        if path.is_file():
            return path
    raise UserError(
        "The bridge's compiled runtime is not there: it is part of a released wheel, and of a checkout once built",
        hint="run `make bridge` (needs a JDK 11 or newer and Maven), or name one with --runtime",
    )
