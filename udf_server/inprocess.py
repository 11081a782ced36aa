"""The server without a network, on a thread of its own: the form that tests and notebooks use."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path

from ksqlkit.scoring.transport import NoReply, Reply
from udf_server.http.app import App
from udf_server.http.message import Request, Response
from udf_server.service import Service


class InProcess:
    """A `Transport` of `ksqlkit.scoring` that answers from a Service here."""

    def __init__(self, models: Path, functions: Path | None = None, *, threads: int = 2) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="udf-server", daemon=True)
        self._thread.start()
        self.service = Service(models, functions, threads=threads)
        self._app = App(self.service)

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Reply:
        """The app's response; raises NoReply past the timeout."""
        if method == "GET":
            self.service.look()
        call = asyncio.run_coroutine_threadsafe(
            self._handle(Request(method, path, headers, body)), self._loop
        )
        try:
            response = call.result(timeout)
        except FutureTimeout as error:
            call.cancel()
            raise NoReply(f"no answer within {timeout:.1f} s", timed_out=True) from error
        return Reply(response.status, dict(response.headers), response.body)

    async def _handle(self, request: Request) -> Response:
        self.service.adopt()
        return await self._app.handle(request)

    def close(self) -> None:
        """Drain and stop."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self.service.drain(2.0), self._loop).result(5.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)
        self._loop.close()
