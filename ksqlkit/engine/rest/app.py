"""The ASGI application: routes, errors, streams; ksqlDB's rules for paths and methods."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import unquote

from ksqlkit.engine.rest import admin, inserts, queries, statements, subjects, topics
from ksqlkit.engine.rest.auth import Guard
from ksqlkit.engine.rest.errors import error_reply
from ksqlkit.engine.rest.messages import Refused, Reply, Request, Stream
from ksqlkit.engine.rest.service import Service
from ksqlkit.engine.rest.websocket import ws_query
from ksqlkit.errors import InternalError, KsqlkitError

logger = logging.getLogger("ksqlkit.rest")
Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Handler = Callable[[Service, Request], Awaitable[Reply | Stream]]

ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("GET", "/", admin.get_root),
    ("GET", "/info", admin.get_info),
    ("GET", "/healthcheck", admin.get_healthcheck),
    ("GET", "/v1/metadata", admin.get_metadata),
    ("GET", "/v1/metadata/id", admin.get_metadata_id),
    ("GET", "/is_valid_property/*", admin.get_valid_property),
    ("GET", "/status", admin.get_statuses),
    ("GET", "/status/*/*/*", admin.get_status),
    ("GET", "/clusterStatus", admin.get_cluster_status),
    ("POST", "/heartbeat", admin.post_heartbeat),
    ("POST", "/lag", admin.post_lag),
    ("POST", "/ksql", statements.post_ksql),
    ("POST", "/ksql/terminate", admin.post_terminate),
    ("POST", "/query", queries.post_query),
    ("POST", "/query-stream", queries.post_query_stream),
    ("POST", "/close-query", queries.post_close_query),
    ("POST", "/inserts-stream", inserts.post_inserts_stream),
    ("GET", "/topics", topics.get_topics),
    ("GET", "/topics/*", topics.get_topic),
    ("POST", "/topics/*", topics.post_topic),
    ("GET", "/subjects", subjects.get_subjects),
    ("POST", "/subjects/*", subjects.post_subject),
    ("DELETE", "/subjects/*", subjects.delete_subject),
    ("GET", "/subjects/*/versions", subjects.get_versions),
    ("POST", "/subjects/*/versions", subjects.post_version),
    ("GET", "/subjects/*/versions/*", subjects.get_version),
    ("GET", "/schemas/ids/*", subjects.get_schema),
    ("GET", "/schemas/types", subjects.get_types),
    ("GET", "/config", subjects.get_config),
)
NOT_FOUND: Final = Reply(
    b"<html><body><h1>Resource not found</h1></body></html>", "text/html; charset=utf-8", 404
)


class App:
    """ksqlDB's HTTP API for one engine; `guard` lets in only those it knows."""

    def __init__(self, service: Service, guard: Guard | None = None) -> None:
        self.service = service
        self._guard = guard
        self._fixed: dict[str, dict[str, Handler]] = {}
        self._open: list[tuple[re.Pattern[str], dict[str, Handler]]] = []
        for method, path, handler in ROUTES:
            self._add(method, path, handler)

    def _add(self, method: str, path: str, handler: Handler) -> None:
        if "*" not in path:
            self._fixed.setdefault(path, {})[method] = handler
            return
        pattern = re.compile(re.escape(path).replace(r"\*", "([^/]+)"))
        known = next((methods for p, methods in self._open if p == pattern), None)
        if known is None:
            known = {}
            self._open.append((pattern, known))
        known[method] = handler

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """One request, as ASGI has it."""
        match scope["type"]:
            case "lifespan":
                await _lifespan(receive, send)
            case "http":
                await self._http(scope, receive, send)
            case "websocket":
                await self._websocket(scope, receive, send)

    async def _http(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        headers = _header_fields(scope)
        path = scope["raw_path"].decode("latin-1")
        request = Request(scope["method"], path, headers, scope["http_version"], receive)
        try:
            answer = await self._answer(request)
        except ConnectionResetError:
            return  # the client is gone
        except Refused as refused:
            answer = Reply(refused.body, refused.content_type, refused.status, refused.headers)
        except KsqlkitError as error:
            answer = error_reply(error)
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            answer = error_reply(InternalError("The server failed; its log says more."))
        if isinstance(answer, Stream):
            await self._stream(answer, request, send)
            return
        fields = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        if answer.content_type is not None:
            fields.append((b"content-type", answer.content_type.encode()))
        fields.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": fields})
        if request.ended:
            await send({"type": "http.response.body", "body": answer.body})
            return
        # The answer is on its way, and ends when the request has.
        await send({"type": "http.response.body", "body": answer.body, "more_body": True})
        await request.drain()
        await send({"type": "http.response.body", "body": b""})

    async def _answer(self, request: Request) -> Reply | Stream:
        if self._guard is not None:
            self._guard.check(request.headers)
        if self.service.terminated or self.service.closing:
            raise Refused(503, 50303, "The server is shutting down")
        methods = self._fixed.get(request.path)
        if methods is None:
            for pattern, found in self._open:
                if (match := pattern.fullmatch(request.path)) is not None:
                    methods = found
                    request.parts = tuple(unquote(part) for part in match.groups())
                    break
        if methods is None:
            return NOT_FOUND
        handler = methods.get(request.method)
        if handler is None:
            raise Refused(405, headers={"allow": ", ".join(methods)})
        return await handler(self.service, request)

    async def _stream(self, answer: Stream, request: Request, send: Send) -> None:
        """Send the parts until they end or the client is gone, whichever is first."""
        kind = answer.content_type
        fields = [] if kind is None else [(b"content-type", kind.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        sending = asyncio.ensure_future(_send_parts(answer, request, send))
        leaving = asyncio.ensure_future(_forever() if answer.reads else _left(request.receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            if answer.close is not None:
                await answer.close()
        error = None if sending.cancelled() else sending.exception()
        if error is not None and not isinstance(error, ConnectionResetError):
            logger.error("a stream failed", exc_info=error)

    async def _websocket(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            if self._guard is not None:
                self._guard.check(_header_fields(scope))
            known = scope["path"] == "/ws/query" and not self.service.terminated
        except Refused:
            known = False
        if not known:
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await ws_query(self.service, scope["query_string"], receive, send)


async def _send_parts(answer: Stream, request: Request, send: Send) -> None:
    async for part in answer.parts:
        if part:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    if answer.reads:
        await request.drain()
    await send({"type": "http.response.body", "body": b""})


def _header_fields(scope: dict[str, Any]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


async def _forever() -> None:
    await asyncio.Event().wait()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
