"""What went wrong with the rows of one query, for the client who asked it; the processing log has every error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ksqlkit.engine.runtime.errors import ProcessingError

REASONS: Final = 3  # that differ; a reason may name a row's value, and each row another


class RowErrors:
    """How many errors there were, and the first reasons that differ. Reads need no lock."""

    def __init__(self) -> None:
        self.count = 0
        self.reasons: list[str] = []

    def add(self, reason: str) -> None:
        """Count an error."""
        self.count += 1
        if len(self.reasons) < REASONS and reason not in self.reasons:
            self.reasons.append(reason)

    def add_error(self, error: ProcessingError) -> None:
        """Count an error that goes to the processing log, with its innermost cause."""
        cause = error.cause if isinstance(error.cause, str) else next(reversed(error.cause), "")
        self.add(error.message if cause in error.message else f"{error.message}: {cause}")
