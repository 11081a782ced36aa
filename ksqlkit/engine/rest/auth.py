"""Who may ask: users with passwords (HTTP basic) and bearer tokens, from a file."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from pathlib import Path

from ksqlkit.engine.rest.messages import Refused
from ksqlkit.errors import ProjectError


class Guard:
    """Lets in those whose credentials a file has: lines of `user:password` or `bearer TOKEN`; # begins a comment."""

    def __init__(self, lines: list[str]) -> None:
        kept = [line.strip() for line in lines]
        kept = [line for line in kept if line and not line.startswith("#")]
        self._users = [line.encode() for line in kept if not line.lower().startswith("bearer ")]
        self._tokens = [line[7:].strip().encode() for line in kept if line.lower().startswith("bearer ")]
        wrong = next((line for line in self._users if b":" not in line), None)
        if wrong is not None:
            raise ProjectError("A line of the auth file is neither user:password nor bearer TOKEN")
        if not kept:
            raise ProjectError(
                "The auth file names nobody", hint="write lines of user:password or bearer TOKEN"
            )

    @staticmethod
    def read(path: Path) -> Guard:
        """From a file. Raises ProjectError."""
        try:
            return Guard(path.read_text("utf-8").splitlines())
        except OSError as error:
            raise ProjectError(f"cannot read the auth file {path}: {error.strerror}") from None

    def check(self, headers: Mapping[str, str]) -> None:
        """401 unless the request's credentials are known."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        known: list[bytes] = []
        secret = b""
        if scheme.lower() == "basic":
            known = self._users
            try:
                secret = base64.b64decode(given.strip(), validate=True)
            except (binascii.Error, ValueError):
                secret = b""
        elif scheme.lower() == "bearer":
            known, secret = self._tokens, given.strip().encode()
        # every one is compared, so that the time says nothing of which it was
        if secret and sum(hmac.compare_digest(secret, k) for k in known):
            return
        raise Refused(401, 40100, "Unauthorized", headers={"www-authenticate": 'Basic realm="ksqlkit"'})
