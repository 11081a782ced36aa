"""Answers remembered by Idempotency-Key: a repeated call gets the first answer, a concurrent one shares
it."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from udf_server.errors import ServiceError
from udf_server.http.message import Request, Response


class Remembered:
    """The last answers, up to a number and a total size in bytes."""

    def __init__(self, entries: int = 1024, size: int = 64 * 1024 * 1024) -> None:
        self._entries, self._size = entries, size
        self._held = 0
        self._answers: OrderedDict[str, tuple[bytes, asyncio.Future[Response]]] = OrderedDict()

    async def once(self, key: str, request: Request, act: Callable[[], Awaitable[Response]]) -> Response:
        """Act, unless this key was answered or is under way. A key used for another call is refused (400)."""
        digest = hashlib.sha256(request.path.encode() + b"\0" + request.body).digest()
        known = self._answers.get(key)
        if known is not None:
            if known[0] != digest:
                raise ServiceError(400, "KEY_REUSED", "this Idempotency-Key was used for a different call")
            return await asyncio.shield(known[1])
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._answers[key] = (digest, future)
        try:
            response = await act()
        except BaseException as error:  # nothing was answered: the next try must act again
            del self._answers[key]
            if isinstance(error, Exception):
                future.set_exception(error)
                future.exception()
            else:
                future.cancel()
            raise
        future.set_result(response)
        self._held += len(response.body)
        while len(self._answers) > self._entries or self._held > self._size:
            _, (_, old) = self._answers.popitem(last=False)
            if old.done() and not old.cancelled() and old.exception() is None:
                self._held -= len(old.result().body)
        return response
