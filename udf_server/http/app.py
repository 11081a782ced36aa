"""The routes: calls, manifest, health, metrics, docs. Every error leaves in the contract's shape, never a
traceback."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any, Final

import orjson

from udf_server.errors import ServiceError
from udf_server.http.auth import Tokens
from udf_server.http.codec import answer_document, batch_of, decode_call, encode_answer, too_many_rows
from udf_server.http.docs import docs_page, openapi
from udf_server.http.idempotency import Remembered
from udf_server.http.message import (
    JSON,
    MAX_BODY,
    MAX_ROWS,
    Request,
    Respond,
    Response,
    error_response,
    json_response,
    media_of,
)
from udf_server.http.portable import PortableModels
from udf_server.metrics import Metrics
from udf_server.portable.functions import answers_for
from udf_server.service import Answer, Service
from udf_server.workers import Peers

logger = logging.getLogger("udf_server")

_CALL: Final = re.compile(r"/v1/functions/([A-Za-z_]\w*)(?:@([^/:]+))?:batch")
CALL_PATHS: Final = ("/v1/functions/{name}:batch", "/v1/functions/{name}@{version}:batch")
_PARTS: Final = {"{name}": r"([A-Za-z][\w-]*)", "{version}": r"(live|[1-9]\d{0,8})"}
_OPEN: Final = ("/livez", "/readyz")  # to all, also where tokens are asked for
_MAX_CALLS: Final = 64
_MAX_PATHS: Final = 10_000
Handler = Callable[..., Response | Coroutine[Any, Any, Response]]  # of the request and its path's parts
_Call = tuple[str, str | None]  # a function's name and the version asked for


class App:
    """`start` answers one request through a callback, `handle` as a coroutine; neither raises."""

    def __init__(self, service: Service, tokens: Tokens | None = None, peers: Peers | None = None) -> None:
        self.service = service
        self.tokens = tokens
        self._peers = peers
        self._remembered = Remembered()
        self._portable = PortableModels(service)
        self._numbers = itertools.count(1)
        self._prefix = f"{os.getpid():x}-{time.time_ns() // 1_000_000:x}"
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls: dict[str, _Call] = {}
        self._counted: dict[tuple[str, int], Callable[[float], None]] = {}
        self._parsed = service.metrics.parse.of()
        self._encoded = service.metrics.encode.of()
        self._handlers: dict[tuple[str, str], Handler] = {
            ("GET", "/v1/functions"): self._manifest,
            ("POST", "/v1/batch"): self._many,
            ("POST", "/v1/models/{name}/outcomes"): self._outcomes,
            ("GET", "/v1/models/{name}/versions/{version}/portable"): self._form,
            ("GET", "/livez"): self._livez,
            ("GET", "/readyz"): self._readyz,
            ("GET", "/metrics"): self._metrics,
            ("GET", "/openapi.json"): self._openapi,
            ("GET", "/docs"): self._docs,
        }
        self._templates = [
            (method, _pattern(path), handler) for (method, path), handler in self._handlers.items()
        ]

    @property
    def routes(self) -> list[tuple[str, str]]:
        """Method and path of all that is answered; {name} and {version} stand for what varies."""
        return [*self._handlers, *(("POST", path) for path in CALL_PATHS)]

    async def handle(self, request: Request) -> Response:
        """The response to a request."""
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self.start(request, lambda r: None if future.done() else future.set_result(r))
        return await future

    def start(self, request: Request, respond: Respond) -> None:
        """Route, answer, count, and trace. A call of a function goes to its lane without a task or a future of its
        own, and is answered in the turn of the loop that scored it."""
        called = self._called(request.path)
        name = "" if called is None else called[0]

        def finish(outcome: Response | Exception) -> None:
            response = outcome if isinstance(outcome, Response) else self._refused(request, outcome)
            self._note(request, name, response)
            respond(response)

        try:
            if len(request.body) > MAX_BODY:
                raise ServiceError(413, "TOO_LARGE", f"the body is over {MAX_BODY} bytes")
            if called is not None:
                if request.method != "POST":
                    raise ServiceError(405, "METHOD", "call a function with POST", allow=("POST",))
                self._authorize(request, name)
                if "idempotency-key" in request.headers:
                    self._in_task(self._once(request, lambda: self._one(request, called)), finish)
                else:
                    self._begin(request, called, finish)
            else:
                handler, parts = self._found(request)
                if request.path not in _OPEN:
                    self._authorize(request)
                answer = handler(request, *parts)
                if isinstance(answer, Response):
                    finish(answer)
                else:
                    self._in_task(answer, finish)
        except Exception as error:
            finish(error)

    def _found(self, request: Request) -> tuple[Handler, tuple[str, ...]]:
        path, method = request.path, "GET" if request.method == "HEAD" else request.method
        allow: list[str] = []
        for known, pattern, handler in self._templates:
            if match := pattern.fullmatch(path):
                if known == method:
                    return handler, match.groups()
                allow.append(known)
        if allow:
            allow += ["HEAD"] * ("GET" in allow)
            message = f"there is no {request.method} of {path}, but {' and '.join(allow)}"
            raise ServiceError(405, "METHOD", message, allow=allow)
        raise ServiceError(404, "UNKNOWN_PATH", f"there is nothing at {path}; see /docs")

    def _in_task(
        self, answer: Coroutine[Any, Any, Response], finish: Callable[[Response | Exception], None]
    ) -> None:
        async def run() -> None:
            try:
                outcome: Response | Exception = await answer
            except Exception as error:
                outcome = error
            finish(outcome)

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _called(self, path: str) -> _Call | None:
        known = self._calls.get(path)
        if known is None:
            found = _CALL.fullmatch(path)
            if found is None:
                return None
            known = (found[1].upper(), found[2])
            if len(self._calls) < _MAX_PATHS:
                self._calls[path] = known
        return known

    def _refused(self, request: Request, error: Exception) -> Response:
        if isinstance(error, ServiceError):
            return error_response(error)
        logger.error("%s %s failed", request.method, request.path, exc_info=error)
        return error_response(ServiceError(500, "INTERNAL", "the server failed; its log says why"))

    def _note(self, request: Request, name: str, response: Response) -> None:
        """Count and log a response, and give it the request's id and trace."""
        status = response.status
        key = (name if status != 404 else "", status)
        count = self._counted.get(key)
        if count is None:
            count = self.service.metrics.requests.of(function=key[0], status=str(status))
            self._counted[key] = count
        count(1.0)
        headers = request.headers
        number = headers.get("x-request-id") or f"{self._prefix}-{next(self._numbers):x}"
        response.headers = [*response.headers, ("x-request-id", number)]
        trace = headers.get("traceparent")
        if trace:
            response.headers.append(("traceparent", trace))
        if status >= 400 or logger.isEnabledFor(logging.DEBUG):
            logger.log(
                logging.ERROR if status == 500 else logging.WARNING if status > 404 else logging.DEBUG,
                "%s %s -> %d",
                request.method,
                request.path,
                status,
                extra={
                    "traceparent": trace,
                    "request_id": number,
                    "function": name or None,
                    "status": status,
                },
            )

    def _authorize(self, request: Request, function: str | None = None) -> None:
        if self.tokens is not None:
            self.tokens.check(request.headers.get("authorization"), function)

    async def _once(self, request: Request, act: Callable[[], Awaitable[Response]]) -> Response:
        key = request.headers.get("idempotency-key")
        if not key:
            return await act()
        # Each caller gets headers of its own.
        return replace(await self._remembered.once(key, request, act))

    async def _one(self, request: Request, called: _Call) -> Response:
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def finish(outcome: Response | Exception) -> None:
            if not future.done():
                (future.set_result if isinstance(outcome, Response) else future.set_exception)(outcome)  # type: ignore[arg-type]

        self._begin(request, called, finish)
        return await future

    def _begin(self, request: Request, called: _Call, finish: Callable[[Response | Exception], None]) -> None:
        """Decode a call and hand it over; raises ServiceError for one that is refused."""
        media = media_of(request)
        service = self.service
        target = service.resolve(called[0], _version(called[1]))
        start = time.perf_counter()
        batch = decode_call(request.body, media, words=service.matrix_words(target))
        self._parsed(time.perf_counter() - start)

        def answered(answer: Answer) -> None:
            start = time.perf_counter()
            try:
                outcome: Response | Exception = encode_answer(answer, media, target)
            except TypeError as error:
                outcome = ServiceError(500, "BAD_ANSWER", f"{called[0]}: {error}")
            except Exception as error:
                outcome = error
            self._encoded(time.perf_counter() - start)
            finish(outcome)

        service.submit(target, batch, _budget(request), answered)

    async def _many(self, request: Request) -> Response:
        """Several calls in one: `[{"function": NAME, "version": n, "data": [...]}, ...]`, answered in order;
        a refused one has `code` and `message` in its place."""
        _json_only(request)
        try:
            calls = orjson.loads(request.body)
        except ValueError as error:
            raise ServiceError(400, "MALFORMED", f"the body is not JSON: {error}") from error
        if not isinstance(calls, list) or not all(isinstance(c, dict) and "function" in c for c in calls):
            raise ServiceError(400, "MALFORMED", 'the body must be [{"function": ..., "data": [...]}, ...]')
        if len(calls) > _MAX_CALLS:
            raise ServiceError(413, "TOO_MANY_CALLS", f"{len(calls)} calls; the limit is {_MAX_CALLS}")
        return await self._once(request, lambda: self._each(request, calls))

    async def _each(self, request: Request, calls: list[dict[str, Any]]) -> Response:
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

    def _form(self, request: Request, name: str, version: str) -> Coroutine[Any, Any, Response]:
        return self._portable.answer(request, name, version, self.tokens)

    def _outcomes(self, request: Request, name: str) -> Response:
        """What turned out to be true: `{"version": n, "data": [[score, label], ...]}`, by default of the live
        version."""
        import numpy as np

        _json_only(request)
        service = self.service
        if self.tokens is not None:
            allowed = self.tokens.functions_of(request.headers.get("authorization"))
            if allowed and not any(answers_for(service.catalog.find(each), name) for each in allowed):
                raise ServiceError(403, "FORBIDDEN", f"this token may call no function that is model {name}")
        live = service.models.serving(name)
        if live is None:
            raise ServiceError(404, "UNKNOWN_MODEL", f"there is no model {name}")
        try:
            document = orjson.loads(request.body)
            pairs = np.array(document["data"], dtype=np.float64)
            version = live if document.get("version") is None else document["version"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ServiceError(
                400, "MALFORMED", f'send {{"data": [[score, label], ...]}}: {error}'
            ) from error
        if pairs.ndim != 2 or pairs.shape[1] != 2 or not np.isfinite(pairs).all():
            raise ServiceError(400, "MALFORMED", "each entry of data is a score and a label, both numbers")
        if len(pairs) > MAX_ROWS:
            raise too_many_rows(len(pairs))
        if type(version) is not int or version not in service.models.store.versions(name):
            shown = f"{version!r:.40}"
            raise ServiceError(404, "UNKNOWN_VERSION", f"there is no model {name} version {shown}")
        service.drift.outcomes(name, version, pairs[:, 0], pairs[:, 1])
        return json_response({"taken": len(pairs)})

    def _manifest(self, request: Request) -> Response:
        manifest = self.service.manifest
        if request.headers.get("if-none-match") == manifest.etag:
            return Response(304, b"", headers=[("etag", manifest.etag)])
        return Response(200, manifest.body, headers=[("etag", manifest.etag)])

    def _livez(self, _: Request) -> Response:
        return json_response({"status": "ok"})

    def _readyz(self, _: Request) -> Response:
        service = self.service
        errors = {**service.catalog.errors, **service.models.errors}
        status = "draining" if service.draining else "warming" if service.warming else "ready"
        body = {"status": status, "warming": service.warming, "errors": errors}
        response = json_response(body, 200 if status == "ready" else 503)
        if status != "ready":
            response.headers.append(("retry-after", "1"))
        return response

    def _metrics(self, _: Request) -> Response:
        metrics = self.service.metrics
        metrics.queued.set(self.service.queued())
        if self._peers is not None:
            # Whichever process is asked, it answers for all of them.
            total = Metrics()
            for state in (metrics.state(), *self._peers.others()):
                total.merge(state)
            metrics = total
        return Response(200, metrics.render().encode(), "text/plain; version=0.0.4; charset=utf-8")

    def _openapi(self, _: Request) -> Response:
        return json_response(openapi(orjson.loads(self.service.manifest.body)))

    def _docs(self, _: Request) -> Response:
        page = docs_page(orjson.loads(self.service.manifest.body))
        return Response(200, page.encode(), "text/html; charset=utf-8")


def _pattern(path: str) -> re.Pattern[str]:
    text = re.escape(path)
    for part, pattern in _PARTS.items():
        text = text.replace(re.escape(part), pattern)
    return re.compile(text)


def _json_only(request: Request) -> None:
    if media_of(request) != JSON:
        raise ServiceError(415, "MEDIA_TYPE", f"send {JSON} here")


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
