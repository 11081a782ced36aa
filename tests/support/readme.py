"""The README as data: files it asks the reader to write, and commands it asks to run, in order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what follows the language, and its text."""

    language: str
    label: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The lines of a shell block."""
        return [line for line in self.text.splitlines() if line.strip()]


def read_blocks(path: Path) -> list[Block]:
    """All fenced blocks in order."""
    return [Block(m[1], m[2].strip(), m[3]) for m in _FENCE.finditer(path.read_text("utf-8"))]
