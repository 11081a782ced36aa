"""What an engine is made of: its log, and the functions of a scoring server.

The functions are there also when the scoring server is not: by a copy of its manifest beside the log.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ksqlkit.errors import ServerError

if TYPE_CHECKING:
    from ksqlkit.engine.functions.registry import Registry
    from ksqlkit.engine.log.protocol import Log
    from ksqlkit.scoring import ScoringClient
    from ksqlkit.scoring.transport import Reply, Transport

logger = logging.getLogger("ksqlkit.rest")
MANIFEST: Final = "/v1/functions"
COPY: Final = ".functions.json"  # added to the log's name
MEMORY: Final = ":memory:"


class RememberingTransport:
    """A transport that keeps the last manifest in a file and gives it once, where the first one cannot be had.

    Queries that were running when the server stopped can so start again before the scoring server does.
    """

    def __init__(self, inner: Transport, copy: Path) -> None:
        self._inner = inner
        self._copy = copy
        self._first = True

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Reply:
        """The inner transport's reply, or the copy of the manifest."""
        from ksqlkit.scoring.transport import NoReply, Reply

        if path != MANIFEST:
            return self._inner.send(method, path, body, headers, timeout)
        first, self._first = self._first, False
        try:
            reply = self._inner.send(method, path, body, headers, timeout)
        except NoReply:
            if not first or not self._copy.exists():
                raise
            logger.warning("the scoring server does not answer; its functions are taken from %s", self._copy)
            return Reply(200, {}, self._copy.read_bytes())
        if reply.status == 200:
            self._keep(reply.body)
        return reply

    def _keep(self, body: bytes) -> None:
        new = self._copy.with_name(self._copy.name + ".new")
        try:
            new.write_bytes(body)
            new.replace(self._copy)
        except OSError as error:
            logger.warning("cannot keep the manifest in %s: %s", self._copy, error)

    def close(self) -> None:
        """Close the inner transport."""
        self._inner.close()


def open_log(path: str) -> Log:
    """The log in a file, or `:memory:`. Raises ServerError when another process has the file."""
    if path == MEMORY:
        from ksqlkit.engine.log.memory import MemoryLog

        return MemoryLog()
    from ksqlkit.engine.log.sqlite import SqliteLog

    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServerError(f"cannot make the folder of the log {path}: {error.strerror}") from None
    return SqliteLog(path)


def connect_scoring(url: str, token: str | None, functions: Registry, log: str) -> ScoringClient:
    """Register the scoring server's functions and follow its changes; a server that is down is looked for.

    `log` is the engine's, where the copy of the manifest lies.
    """
    from ksqlkit.scoring import ScoringClient
    from ksqlkit.scoring.transport import HttpTransport

    transport: Transport = HttpTransport(url, token)
    if log != MEMORY:
        transport = RememberingTransport(transport, Path(log + COPY))
    client = ScoringClient(url, token, transport=transport)
    try:
        client.register_into(functions)
    except ServerError as error:
        hint = f" ({error.hint})" if error.hint else ""
        logger.warning("%s; its functions come when it answers%s", error.message, hint)
    client.watch()
    return client
