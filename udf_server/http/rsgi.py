"""The app as granian calls it (RSGI)."""

from __future__ import annotations

from typing import Any

from udf_server.errors import ServiceError
from udf_server.http.app import App
from udf_server.http.message import MAX_BODY, Request, Response, error_response


class RsgiApp:
    """Adapts granian's scope and protocol objects to requests and responses."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request; bodies past the limit are refused before they are read whole."""
        if scope.proto != "http":
            protocol.close(404)
            return
        headers = dict(scope.headers.items())
        body = await _read(protocol, headers)
        if body is None:
            response = error_response(ServiceError(413, "TOO_LARGE", f"the body is over {MAX_BODY} bytes"))
        else:
            response = await self._app.handle(Request(scope.method, scope.path, headers, body))
        _send(protocol, response)


async def _read(protocol: Any, headers: dict[str, str]) -> bytes | None:
    length = headers.get("content-length", "")
    if length.isdecimal():
        return None if int(length) > MAX_BODY else bytes(await protocol())
    parts: list[bytes] = []
    held = 0
    async for part in protocol:
        held += len(part)
        if held > MAX_BODY:
            return None
        parts.append(bytes(part))
    return b"".join(parts)


def _send(protocol: Any, response: Response) -> None:
    headers = [("content-type", response.media), *response.headers]
    if response.body:
        protocol.response_bytes(response.status, headers, response.body)
    else:
        protocol.response_empty(response.status, headers)
