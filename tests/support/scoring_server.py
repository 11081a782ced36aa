"""A scoring server of a test's own, on a free port."""

from __future__ import annotations

import sys
from pathlib import Path

from ksqlkit.process import ServerProcess


def scoring_server(models: Path, functions: Path | None = None, *, port: int = 0) -> ServerProcess:
    """Start it and wait until it answers; models load when they are first used."""
    command = [sys.executable, "-m", "udf_server", "--lazy", "--port", str(port), "--models", str(models)]
    command += ["--functions", str(functions)] if functions else []
    return ServerProcess("scoring server", command, health="/livez")
