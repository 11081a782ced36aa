"""Lines of Python with indentation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Writer:
    """Collects the lines of one function body."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._depth = 0

    def line(self, text: str) -> None:
        """Add a line at the current depth."""
        self.lines.append("    " * self._depth + text)

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        """Lines written inside stand below `header`; without any, the header is left out."""
        self.line(header)
        start = len(self.lines)
        self._depth += 1
        yield
        self._depth -= 1
        if len(self.lines) == start:
            self.lines.pop()

    @contextmanager
    def indented(self) -> Iterator[None]:
        """Lines written inside stand one level deeper."""
        self._depth += 1
        yield
        self._depth -= 1
