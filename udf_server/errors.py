"""What can go wrong, in the wire's terms: per call (`ServiceError`) and per row
(`udf_server.function.RowError`)."""

from __future__ import annotations

from collections.abc import Sequence

from ksqlkit.errors import UserError


class ServiceError(Exception):
    """A whole call is refused. `status` is the HTTP status, `code` a stable word for programs; `retry_after` is in
    seconds, `allow` the methods that there are."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        retry_after: float | None = None,
        allow: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.allow = allow


class ModelError(UserError):
    """A model cannot be loaded or moved: absent, corrupt, or of a kind we do not read."""

    code = "MODEL"


class SignatureError(ValueError):
    """A function's signature text does not parse; the message points at the place."""


class Overloaded(Exception):
    """A lane's queue is full; `retry_after` is when there will be room, in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"the queue is full; try again in {retry_after:.1f} s")
        self.retry_after = retry_after
