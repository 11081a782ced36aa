"""The error of a record that cannot be read or written."""

from __future__ import annotations

from ksqlkit.errors import DataError


class SerdeError(DataError):
    """A key or value that does not fit its schema.

    `message` and `causes` (outermost first) are worded as ksqlDB's processing log words them.
    """

    code = "DATA_SERDE"

    def __init__(self, message: str, causes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.causes = causes
