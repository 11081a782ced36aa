"""POST /inserts-stream: rows in, an acknowledgement for each out, as long as the request lasts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import orjson

from ksqlkit.engine.rest.json_values import RowReader, column_name
from ksqlkit.engine.rest.messages import DELIMITED, JSON, V1, Refused, Request, Stream, read_object
from ksqlkit.engine.rest.service import Service
from ksqlkit.engine.rest.statements import text_of
from ksqlkit.errors import DataError, KsqlkitError

ANSWERS: Final = {
    DELIMITED: DELIMITED,
    V1: DELIMITED,
    JSON: JSON,
    "*/*": DELIMITED,
    "application/*": DELIMITED,
}
MAX_LINE: Final = 4 * 1024 * 1024


async def post_inserts_stream(service: Service, request: Request) -> Stream:
    """The first line names the target; each line after it is a row. The first row refused ends the stream."""
    if request.version != "2":
        raise Refused(400, 40004, "This endpoint is only available when using HTTP2")
    kind = request.negotiate(ANSWERS, DELIMITED)
    batches = _line_batches(request)
    first: list[bytes] = await anext(batches, [])
    body = read_object(first[0] if first else b"", "InsertsStreamArgs")
    if "target" not in body:
        raise Refused(
            400, 40000, "Invalid JSON in request: Missing required creator property 'target' (index 0)"
        )
    name = column_name(text_of(body["target"]))
    try:
        source = await service.run(service.engine.writable, name)
    except KsqlkitError as error:
        unknown = error.message.startswith("Cannot insert values into an unknown")
        raise Refused(400, 40001 if unknown else error.error_code, error.message) from None
    inserts = Inserts(service, name, RowReader(source))
    return Stream(_acks(service, inserts, batches, first[1:], kind), None, reads=True)


async def _acks(
    service: Service, inserts: Inserts, batches: AsyncIterator[list[bytes]], first: list[bytes], kind: str
) -> AsyncIterator[bytes]:
    framing = (b"", b"", b"\n", b"") if kind == DELIMITED else (b"[", b",", b"", b"]")
    start, before, after, end = framing
    sent = False
    yield start
    lines: list[bytes] | None = first
    while lines is not None:
        acks = await service.run(inserts.take, lines)
        if acks:
            text = b"".join([before + a + after for a in acks])
            yield text if sent else text.removeprefix(before)
            sent = True
        if inserts.failed:
            break
        lines = await anext(batches, None)
    yield end


class Inserts:
    """Rows for one source, in the order they come."""

    def __init__(self, service: Service, target: str, read: RowReader) -> None:
        self._engine = service.engine
        self._target = target
        self._read = read
        self._done = 0
        self.failed = False

    def take(self, lines: list[bytes]) -> list[bytes]:
        """Append the rows in one commit, up to the first that is refused; one acknowledgement each."""
        rows: list[dict[str, Any]] = []
        problem: str | None = None
        for line in lines:
            try:
                row = orjson.loads(line)
                if not isinstance(row, dict):
                    raise orjson.JSONDecodeError("no object", "", 0)
                rows.append(self._read(row))
            except orjson.JSONDecodeError:
                problem = "Invalid JSON in inserts stream"
            except KsqlkitError as error:
                problem = error.message
            if problem is not None:
                break
        accepted, refused = self._append(rows)
        acks = [b'{"seq":%d,"status":"ok"}' % n for n in range(self._done, self._done + accepted)]
        self._done += accepted
        problem = refused or problem
        if problem is not None:
            self.failed = True
            body = {"@type": "InsertError", "status": "error", "seq": self._done, "message": problem}
            acks.append(orjson.dumps({**body, "error_code": 40000}))
        return acks

    def _append(self, rows: list[dict[str, Any]]) -> tuple[int, str | None]:
        """How many were appended, and why the next one was not."""
        if not rows:
            return 0, None
        try:
            return self._engine.insert_many(self._target, rows), None
        except KsqlkitError:
            for number, row in enumerate(rows):  # find the one that does not fit; those before it go in
                try:
                    self._engine.insert_many(self._target, [row])
                except KsqlkitError as error:
                    return number, error.message
        return len(rows), None


async def _line_batches(request: Request) -> AsyncIterator[list[bytes]]:
    """Whole lines, those of one part of the body together; blank ones are left out."""
    rest = b""
    async for chunk in request.chunks(None):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > MAX_LINE:
            raise DataError(f"A line of the inserts stream is larger than {MAX_LINE} bytes")
        if kept := [line for line in lines if line.strip()]:
            yield kept
    if rest.strip():
        yield [rest]
