"""Requests and replies, as handlers see them; what ASGI looks like stays in `app`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

V1: Final = "application/vnd.ksql.v1+json"
JSON: Final = "application/json"
DELIMITED: Final = "application/vnd.ksqlapi.delimited.v1"
PROTOBUF: Final = "application/vnd.ksql.v1+protobuf"
MAX_BODY: Final = 64 * 1024 * 1024
DRAIN_SECONDS: Final = 10.0  # without any part of a body that nobody wants
DRAIN_BYTES: Final = 1 << 30
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Refused(Exception):
    """An answer other than the one asked for. `content_type` None sends none, as ksqlDB does in places."""

    def __init__(
        self,
        status: int,
        code: int = 0,
        message: str = "",
        *,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        body = {"@type": "generic_error", "error_code": code, "message": message, **(extra or {})}
        self.body = orjson.dumps(body) if code else b""
        self.content_type = content_type


@dataclass(slots=True)
class Request:
    """One HTTP request; header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    version: str
    receive: Receive
    parts: tuple[str, ...] = ()  # what the route's pattern left open
    ended: bool = False  # whether all of the body has been read

    @property
    def accept(self) -> tuple[str, ...]:
        """Media types the client takes, best first, without parameters."""
        wanted = []
        for place, entry in enumerate(self.headers.get("accept", "").split(",")):
            kind, *params = (part.strip().lower() for part in entry.split(";"))
            quality = next((p[2:] for p in params if p.startswith("q=")), "1")
            if kind:
                wanted.append((-_quality(quality), place, kind))
        return tuple(kind for q, _, kind in sorted(wanted) if q)

    def negotiate(self, offered: Mapping[str, str], default: str) -> str:
        """The first accepted of the offered types (media type -> answer), `default` without Accept; or 406."""
        if "accept" not in self.headers:
            return default
        for kind in self.accept:
            if kind in offered:
                return offered[kind]
        raise Refused(406)

    async def body(self) -> bytes:
        """All of the body; 413 when it is larger than MAX_BODY, at once where the request says so."""
        length = self.headers.get("content-length", "")
        if length.isdecimal() and int(length) > MAX_BODY:
            raise too_large(MAX_BODY)
        parts = [part async for part in self.chunks(MAX_BODY)]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self, limit: int | None) -> AsyncIterator[bytes]:
        """The body as it comes."""
        size = 0
        while not self.ended:
            event = await self.receive()
            self.ended = not event.get("more_body", False)
            if event["type"] == "http.disconnect":
                raise ConnectionResetError
            if event["body"]:
                size += len(event["body"])
                if limit is not None and size > limit:
                    raise too_large(limit)
                yield event["body"]

    async def drain(self) -> None:
        """Read what is left of the body and forget it, within bounds: many clients read no answer before they have
        sent all."""
        parts = self.chunks(DRAIN_BYTES)
        with contextlib.suppress(TimeoutError, Refused, ConnectionResetError):
            more = True
            while more:
                async with asyncio.timeout(DRAIN_SECONDS):
                    more = bool(await anext(parts, b""))

    async def json(self, shape: str) -> dict[str, Any]:
        """The body as a JSON object; 400 where it is none."""
        return read_object(await self.body(), shape)


def too_large(limit: int) -> Refused:
    """What a body over the limit is answered."""
    return Refused(413, 41300, f"The request is larger than {limit} bytes", content_type=JSON)


def read_object(data: bytes, shape: str) -> dict[str, Any]:
    """A JSON object of the request shape named, or 400 with ksqlDB's beginning of the message."""
    if not data.strip():
        raise Refused(400, 40000, "Invalid JSON in request: No content to map due to end-of-input")
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        place = f"line: {error.lineno}, column: {error.colno}"
        raise Refused(400, 40000, f"Invalid JSON in request: {error.msg}\n at [{place}]") from None
    if not isinstance(found, dict):
        raise Refused(
            400,
            40000,
            f"Invalid JSON in request: Cannot deserialize value of type `{shape}` from {_kind(found)}",
        )
    return found


def read_options(body: Mapping[str, Any], field_name: str) -> dict[str, Any]:
    """A member that is an object or left out; 400 where it is something else."""
    found = body.get(field_name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Refused(
            400, 40000, f'Invalid JSON in request: "{field_name}" must be an object, not {_kind(found)}'
        )
    return found


def _kind(value: object) -> str:
    if isinstance(value, list):
        return "Array value"
    return {str: "String value", bool: "Boolean value", type(None): "Null value"}.get(
        type(value), "Number value"
    )


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0


@dataclass(slots=True)
class Reply:
    """A whole answer."""

    body: bytes = b""
    content_type: str | None = JSON
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Stream:
    """An answer in parts; `close` is called when the last part is sent or the client is gone.

    Parts that come from the request's own body (`reads`) notice by themselves that the client is gone.
    """

    parts: AsyncIterator[bytes]
    content_type: str | None
    close: Callable[[], Awaitable[None]] | None = None
    reads: bool = False


def json_reply(content: Any, status: int = 200) -> Reply:
    """A JSON answer."""
    return Reply(orjson.dumps(content), JSON, status)
