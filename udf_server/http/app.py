"""The routes: calls, manifest, health, metrics, docs. Every error leaves in the contract's shape, never a
traceback."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson

from udf_server.errors import ServiceError
from udf_server.http.auth import Tokens
from udf_server.http.codec import answer_document, batch_of, decode_call, encode_answer
from udf_server.http.docs import docs_page, openapi
from udf_server.http.idempotency import Remembered
from udf_server.http.message import ARROW, JSON, MAX_BODY, Request, Response, error_response, json_response
from udf_server.service import Service

logger = logging.getLogger("udf_server")

_CALL: Final = re.compile(r"/v1/functions/([A-Za-z_]\w*)(?:@([^/:]+))?:batch")
_MAX_CALLS: Final = 64
Handler = Callable[[Request], Awaitable[Response]]


class App:
    """`handle` answers one request; it raises nothing."""

    def __init__(self, service: Service, tokens: Tokens | None = None) -> None:
        self.service = service
        self._tokens = tokens
        self._remembered = Remembered()
        self._routes: dict[tuple[str, str], Handler] = {
            ("GET", "/v1/functions"): self._manifest,
            ("POST", "/v1/batch"): self._many,
            ("GET", "/livez"): self._livez,
            ("GET", "/readyz"): self._readyz,
            ("GET", "/metrics"): self._metrics,
            ("GET", "/openapi.json"): self._openapi,
            ("GET", "/docs"): self._docs,
        }

    async def handle(self, request: Request) -> Response:
        """Route, answer, count, and trace."""
        called = _CALL.fullmatch(request.path)
        name = called[1].upper() if called else ""
        try:
            response = await self._route(request, called)
        except ServiceError as error:
            response = error_response(error)
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            response = error_response(ServiceError(500, "INTERNAL", "the server failed; its log says why"))
        self.service.metrics.requests.add(
            function=name if response.status != 404 else "", status=str(response.status)
        )
        trace = request.headers.get("traceparent")
        if trace:
            response.headers.append(("traceparent", trace))
        if response.status >= 400 or logger.isEnabledFor(logging.DEBUG):
            logger.log(
                logging.WARNING if response.status >= 500 else logging.DEBUG,
                "%s %s -> %d",
                request.method,
                request.path,
                response.status,
                extra={"traceparent": trace, "request_id": request.headers.get("idempotency-key")},
            )
        return response

    async def _route(self, request: Request, called: re.Match[str] | None) -> Response:
        if len(request.body) > MAX_BODY:
            raise ServiceError(413, "TOO_LARGE", f"the body is over {MAX_BODY} bytes")
        if called:
            if request.method != "POST":
                raise ServiceError(405, "METHOD", "call a function with POST")
            self._authorize(request, called[1])
            return await self._remember(request, lambda: self._one(request, called[1], called[2]))
        handler = self._routes.get((request.method, request.path))
        if handler is None:
            raise ServiceError(404, "UNKNOWN_PATH", f"there is nothing at {request.path}; see /docs")
        if request.path not in ("/livez", "/readyz"):
            self._authorize(request)
        return await handler(request)

    def _authorize(self, request: Request, function: str | None = None) -> None:
        if self._tokens is not None:
            self._tokens.check(request.headers.get("authorization"), function)

    async def _remember(self, request: Request, act: Callable[[], Awaitable[Response]]) -> Response:
        key = request.headers.get("idempotency-key")
        return await (self._remembered.once(key, request, act) if key else act())

    async def _one(self, request: Request, name: str, version: str | None) -> Response:
        media = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
        if media not in (JSON, ARROW):
            raise ServiceError(415, "MEDIA_TYPE", f"send {JSON} or {ARROW}, not {media}")
        self.service.resolve(name, _version(version))
        start = time.perf_counter()
        batch = decode_call(request.body, media)
        self.service.metrics.parse.observe(time.perf_counter() - start)
        answer = await self.service.call(name, _version(version), batch, _budget(request))
        start = time.perf_counter()
        try:
            response = encode_answer(answer, media)
        except TypeError as error:
            raise ServiceError(500, "BAD_ANSWER", f"{name.upper()}: {error}") from error
        self.service.metrics.encode.observe(time.perf_counter() - start)
        return response

    async def _many(self, request: Request) -> Response:
        """Several calls in one: `[{"function": NAME, "version": n, "data": [...]}, ...]`, answered in order;
        a refused one has `code` and `message` in its place."""
        try:
            calls = orjson.loads(request.body)
        except ValueError as error:
            raise ServiceError(400, "MALFORMED", f"the body is not JSON: {error}") from error
        if not isinstance(calls, list) or not all(isinstance(c, dict) and "function" in c for c in calls):
            raise ServiceError(400, "MALFORMED", 'the body must be [{"function": ..., "data": [...]}, ...]')
        if len(calls) > _MAX_CALLS:
            raise ServiceError(413, "TOO_MANY_CALLS", f"{len(calls)} calls; the limit is {_MAX_CALLS}")
        return await self._remember(request, lambda: self._each(request, calls))

    async def _each(self, request: Request, calls: list[dict[str, Any]]) -> Response:
        import asyncio

        async def one(call: dict[str, Any]) -> dict[str, Any]:
            name = str(call["function"])
            try:
                self._authorize(request, name)
                version = call.get("version")
                number = None if version is None else _version(str(version))
                answer = await self.service.call(name, number, batch_of(call), _budget(request))
            except ServiceError as error:
                return {
                    "function": name,
                    "code": error.code,
                    "message": error.message,
                    "status": error.status,
                }
            return {"function": name, **answer_document(answer)}

        return json_response(await asyncio.gather(*map(one, calls)))

    async def _manifest(self, request: Request) -> Response:
        manifest = self.service.manifest
        if request.headers.get("if-none-match") == manifest.etag:
            return Response(304, b"", headers=[("etag", manifest.etag)])
        return Response(200, manifest.body, headers=[("etag", manifest.etag)])

    async def _livez(self, _: Request) -> Response:
        return json_response({"status": "ok"})

    async def _readyz(self, _: Request) -> Response:
        service = self.service
        errors = {**service.catalog.errors, **service.models.errors}
        status = "draining" if service.draining else "warming" if service.warming else "ready"
        body = {"status": status, "warming": service.warming, "errors": errors}
        return json_response(body, 200 if status == "ready" else 503)

    async def _metrics(self, _: Request) -> Response:
        self.service.metrics.queued.set(self.service.queued())
        return Response(
            200, self.service.metrics.render().encode(), "text/plain; version=0.0.4; charset=utf-8"
        )

    async def _openapi(self, _: Request) -> Response:
        return json_response(openapi(orjson.loads(self.service.manifest.body)))

    async def _docs(self, _: Request) -> Response:
        page = docs_page(orjson.loads(self.service.manifest.body))
        return Response(200, page.encode(), "text/html; charset=utf-8")


def _version(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or not 0 < int(text) < 2**31:
        raise ServiceError(404, "UNKNOWN_VERSION", f"{text!r} is no version number")
    return int(text)


def _budget(request: Request) -> float | None:
    text = request.headers.get("x-deadline-ms")
    if text is None:
        return None
    try:
        milliseconds = float(text)
    except ValueError as error:
        raise ServiceError(
            400, "MALFORMED", f"X-Deadline-Ms: {text!r} is no number of milliseconds"
        ) from error
    if not milliseconds >= 0:
        raise ServiceError(400, "MALFORMED", "X-Deadline-Ms must not be negative")
    return min(milliseconds / 1000.0, 86_400.0)
