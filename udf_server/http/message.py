"""A request and a response, the seam between our routes and whatever server carries them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from udf_server.errors import ServiceError

JSON: Final = "application/json"
ARROW: Final = "application/vnd.apache.arrow.stream"
_FORM: Final = "application/x-www-form-urlencoded"
MAX_BODY: Final = 8 * 1024 * 1024
MAX_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Request:
    """Header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(slots=True)
class Response:
    """What goes back; `headers` beside the content type."""

    status: int
    body: bytes
    media: str = JSON
    headers: list[tuple[str, str]] = field(default_factory=list)


Respond = Callable[[Response], None]


def media_of(request: Request) -> str:
    """JSON or ARROW, what a call's body is said to be; raises ServiceError (415) for another type. curl calls what it
    posts a form, and is taken to mean JSON; not so a page in a browser, which says its origin: any site that someone
    visits could call us that way."""
    media = request.headers.get("content-type", JSON)
    if media == JSON:
        return JSON
    media = media.partition(";")[0].strip().lower()
    if media == _FORM and "origin" not in request.headers:
        return JSON
    if media not in (JSON, ARROW):
        message = f"send {JSON} or {ARROW}, not {media}: add the header content-type: {JSON}"
        raise ServiceError(415, "MEDIA_TYPE", message)
    return media


def json_response(value: Any, status: int = 200) -> Response:
    """A JSON answer. NaN and infinities become null, as JSON has none."""
    return Response(
        status,
        orjson.dumps(value, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS),
    )


def error_response(error: ServiceError) -> Response:
    """The shape of every refused call: `{"code": ..., "message": ...}`."""
    response = json_response({"code": error.code, "message": error.message}, error.status)
    if error.retry_after is not None:
        response.headers.append(("retry-after", str(max(1, round(error.retry_after)))))
    if error.allow:
        response.headers.append(("allow", ", ".join(error.allow)))
    if error.status == 401:
        response.headers.append(("www-authenticate", 'Bearer realm="udf_server"'))
    return response


def _plain(value: Any) -> Any:
    import base64
    from decimal import Decimal

    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    raise TypeError(f"a function answered a {type(value).__name__}, which is no SQL value")
