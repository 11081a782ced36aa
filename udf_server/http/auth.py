"""Bearer tokens. A token file has one token a line, optionally followed by the functions it may call."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from udf_server.errors import ServiceError
from udf_server.manifest import DETAIL


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token to the functions it may call; an empty set means all."""

    allowed: Mapping[str, frozenset[str]]

    @classmethod
    def read(cls, path: Path) -> Tokens:
        """Read a token file; blank lines and lines starting with # are skipped."""
        allowed = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words and not words[0].startswith("#"):
                allowed[words[0]] = frozenset(w.strip(",").upper() for w in words[1:])
        if not allowed:
            raise ValueError(f"{path} holds no token")
        return cls(allowed)

    def check(self, header: str | None, function: str | None = None) -> None:
        """Raise 401 for a missing or unknown token, 403 for a function it may not call."""
        may = self.functions_of(header)
        if function is not None and may and function.upper().removesuffix(DETAIL) not in may:
            raise ServiceError(403, "FORBIDDEN", f"this token may not call {function}")

    def functions_of(self, header: str | None) -> frozenset[str]:
        """The functions that a token may call, empty for all; raise 401 for a missing or unknown one."""
        scheme, _, given = (header or "").partition(" ")
        known = next(
            (t for t in self.allowed if hmac.compare_digest(t.encode(), given.strip().encode())), None
        )
        if scheme.lower() != "bearer" or known is None:
            raise ServiceError(401, "UNAUTHORIZED", "send a valid token as `Authorization: Bearer TOKEN`")
        return self.allowed[known]
