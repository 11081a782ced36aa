"""Puts the bridge's compiled runtime into the wheel, where it was built (`make bridge`) before the wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAME = "ksqlkit-bridge-runtime.jar"


class BridgeRuntime(BuildHookInterface[Any]):
    """Without the jar the wheel is whole but for `ksqlkit bridge build`, which then says what is missing."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it gathers files."""
        jar = Path(self.root) / "build" / "bridge" / NAME
        if version == "editable":
            return
        if jar.is_file():
            build_data["force_include"][str(jar)] = f"ksqlkit/_data/{NAME}"
        else:
            self.app.display_warning(
                f"{jar} is not there: the wheel cannot build bridge jars; run `make bridge` first"
            )
