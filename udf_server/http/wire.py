"""HTTP/1.1 on asyncio: strict parsing, keep-alive, pipelined requests one after the other, chunked bodies.

Of our own because a call here costs less than what a general server spends around it: granian hands each request from
its thread to ours and back, some 200 us; a connection of ours answers in the turn of the loop that read the request.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final, Protocol

from udf_server.errors import ServiceError
from udf_server.http.message import MAX_BODY, Request, Respond, Response, error_response

MAX_HEAD: Final = 64 * 1024
IDLE_SECONDS: Final = 75.0  # a connection that sends nothing for so long is closed
_REQUEST: Final = re.compile(r"([A-Z]+) (/[!-~]*) HTTP/1\.([01])")
_FIELD: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0\r\n]*)")
_REASONS: Final = {
    200: "OK", 304: "Not Modified", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 406: "Not Acceptable", 413: "Content Too Large", 415: "Unsupported Media Type",
    429: "Too Many Requests", 431: "Request Header Fields Too Large", 500: "Internal Server Error",
    501: "Not Implemented", 503: "Service Unavailable",
}  # fmt: skip
_LINES: Final = {status: f"HTTP/1.1 {status} {reason}\r\n".encode() for status, reason in _REASONS.items()}


class Answers(Protocol):
    """What the connections hand their requests to."""

    def start(self, request: Request, respond: Respond) -> None:
        """Have `respond` called once with the response, now or later; raises nothing."""


class Connections:
    """The open connections of a server; `connection` is the protocol factory of asyncio's `create_server`."""

    def __init__(self, app: Answers) -> None:
        self.app = app
        self.closing = False
        self.open: set[Connection] = set()

    def connection(self) -> Connection:
        """A new one."""
        return Connection(self)

    def close(self) -> None:
        """Let answers under way go out, and close what is idle."""
        self.closing = True
        for connection in list(self.open):
            connection.finish()

    def sweep(self, now: float) -> None:
        """Close what has sent nothing for long."""
        for connection in list(self.open):
            if now - connection.heard > IDLE_SECONDS:
                connection.finish()


class Connection(asyncio.Protocol):
    """One connection. Requests are answered in order, one at a time."""

    def __init__(self, owner: Connections) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self.heard = self._loop.time()
        self._transport: Any = None
        self._buffer = b""
        self._parts: list[bytes] = []  # of a long body
        self._missing = 0
        self._request: Request | None = None  # whose body is still coming
        self._chunked = False
        self._busy = False
        self._last = False  # whether the connection ends with the request under way
        self._head = b""  # the head before, which a client usually repeats
        self._parsed: tuple[str, str, dict[str, str], bool] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio has it."""
        self._transport = transport
        self._owner.open.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        """As asyncio has it."""
        self._owner.open.discard(self)
        self._transport = None

    def pause_writing(self) -> None:
        """Read no more from a client that does not read."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        if self._transport is not None and not self._busy:
            self._transport.resume_reading()

    def finish(self) -> None:
        """Close, after the answer under way if there is one."""
        self._last = True
        if not self._busy and self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """As asyncio has it."""
        self.heard = self._loop.time()
        if self._missing > 0:
            self._parts.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return
            data = b"".join(self._parts)
            self._parts = []
        self._buffer = self._buffer + data if self._buffer else data
        if self._busy:
            if len(self._buffer) > MAX_HEAD:
                self._transport.pause_reading()
            return
        self._advance()

    def _advance(self) -> None:
        """Start every request that is whole, until one keeps us waiting."""
        try:
            while self._buffer and not self._busy and self._transport is not None:
                request = self._next()
                if request is None:
                    return
                self._busy = True
                self._owner.app.start(request, self._respond)
        except ServiceError as error:  # what follows on this connection cannot be read
            self._busy = self._last = True
            self._respond(error_response(error))

    def _next(self) -> Request | None:
        """The next whole request, taken from the buffer; raises ServiceError for what is none."""
        if self._request is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end > MAX_HEAD or (end < 0 and len(self._buffer) > MAX_HEAD):
                raise ServiceError(431, "TOO_LARGE", f"the head of the request is over {MAX_HEAD} bytes")
            if end < 0:
                return None
            head = self._buffer[:end]
            if head != self._head or self._parsed is None:
                self._parsed, self._head = _parse(head), head
            method, path, headers, self._last = self._parsed
            self._last = self._last or self._owner.closing
            self._buffer = self._buffer[end + 4 :]
            self._chunked = "transfer-encoding" in headers
            self._request = Request(method, path, headers)
            wanted = int(headers.get("content-length", "0"))
            if wanted > MAX_BODY:
                raise ServiceError(413, "TOO_LARGE", f"the body is over {MAX_BODY} bytes")
            if (
                (wanted or self._chunked)
                and "expect" in headers
                and len(self._buffer) < wanted + self._chunked
            ):
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._chunked:
            body, used = _dechunk(self._buffer)
            if body is None:
                return None
        else:
            used = int(self._request.headers.get("content-length", "0"))
            if len(self._buffer) < used:
                self._missing = used - len(self._buffer)
                self._parts, self._buffer = [self._buffer], b""
                return None
            body = self._buffer[:used]
        self._buffer = self._buffer[used:]
        request, self._request = self._request, None
        return Request(request.method, request.path, request.headers, body) if body else request

    def _respond(self, response: Response) -> None:
        self._busy = False
        transport = self._transport
        if transport is None:  # the client is gone
            return
        body = response.body
        head = _LINES.get(response.status) or f"HTTP/1.1 {response.status} \r\n".encode()
        lines = [f"content-type: {response.media}\r\ncontent-length: {len(body)}\r\n"]
        lines += [f"{name}: {value}\r\n" for name, value in response.headers]
        lines.append("connection: close\r\n\r\n" if self._last else "\r\n")
        if self._parsed is not None and self._parsed[0] == "HEAD":
            body = b""
        transport.write(head + "".join(lines).encode("latin-1", "replace") + body)
        if self._last:
            self._buffer = b""
            transport.close()
        else:
            if not transport.is_reading():
                transport.resume_reading()
            if self._buffer:
                self._loop.call_soon(self._advance)


def _parse(head: bytes) -> tuple[str, str, dict[str, str], bool]:
    """Method, path, headers by lower-case name, and whether the client closes afterwards; raises ServiceError for
    whatever two readers could take for two different requests."""
    first, *lines = head.decode("latin-1").split("\r\n")
    found = _REQUEST.fullmatch(first)
    if found is None:
        raise ServiceError(400, "MALFORMED", "this is no HTTP/1.1 request")
    headers: dict[str, str] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise ServiceError(400, "MALFORMED", "a header of the request is malformed")
        name, value = field[1].lower(), field[2].rstrip(" \t")
        if name in headers:
            if name in ("content-length", "transfer-encoding", "host", "authorization"):
                raise ServiceError(400, "MALFORMED", f"the request has two headers {name}")
            value = f"{headers[name]}, {value}"
        headers[name] = value
    length, encoding = headers.get("content-length"), headers.get("transfer-encoding")
    if length is not None and (encoding is not None or not (length.isascii() and length.isdigit())):
        raise ServiceError(400, "MALFORMED", "the request's length is not clear")
    if length is not None and len(length) > 18:
        raise ServiceError(413, "TOO_LARGE", f"the body is over {MAX_BODY} bytes")
    if encoding is not None and encoding.lower() != "chunked":
        raise ServiceError(501, "MALFORMED", f"transfer-encoding {encoding[:40]} is not known")
    path = found[2].partition("?")[0]
    kept = headers.get("connection", "").lower()
    return found[1], path, headers, "close" in kept or (found[3] == "0" and "keep-alive" not in kept)


def _dechunk(buffer: bytes) -> tuple[bytes | None, int]:
    """The body of whole chunks at the start of the buffer and the bytes they take, or None while some are missing."""
    at = 0
    held = 0
    parts: list[bytes] = []
    while True:
        end = buffer.find(b"\r\n", at, at + 1024)
        if end < 0:
            if len(buffer) - at > 1024:
                raise ServiceError(400, "MALFORMED", "a chunk of the body is malformed")
            return None, 0
        digits = buffer[at:end].partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", digits):
            raise ServiceError(400, "MALFORMED", "a chunk of the body is malformed")
        size = int(digits, 16)
        held += size
        if held > MAX_BODY:
            raise ServiceError(413, "TOO_LARGE", f"the body is over {MAX_BODY} bytes")
        at = end + 2
        if size == 0:
            # Trailers are dropped; an empty line ends them.
            if buffer[at : at + 2] == b"\r\n":
                return b"".join(parts), at + 2
            last = buffer.find(b"\r\n\r\n", at, at + MAX_HEAD)
            if last < 0 and len(buffer) - at > MAX_HEAD:
                raise ServiceError(431, "TOO_LARGE", "the trailers of the request are too long")
            return (b"".join(parts), last + 4) if last >= 0 else (None, 0)
        if len(buffer) < at + size + 2:
            return None, 0
        if buffer[at + size : at + size + 2] != b"\r\n":
            raise ServiceError(400, "MALFORMED", "a chunk of the body is malformed")
        parts.append(buffer[at : at + size])
        at += size + 2
