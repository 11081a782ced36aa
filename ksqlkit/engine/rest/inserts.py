"""POST /inserts-stream: rows in, an acknowledgement for each out, as long as the request lasts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import orjson

from ksqlkit.engine.engine import Engine
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
    try:
        inserts = await service.run(Inserts, service.engine, text_of(body["target"]))
    except KsqlkitError as error:
        unknown = error.message.startswith("Cannot insert values into an unknown")
        raise Refused(400, 40001 if unknown else error.error_code, error.message) from None
    return Stream(_acks(service, inserts, batches, first[1:], kind), None, reads=True)


async def _acks(
    service: Service, inserts: Inserts, batches: AsyncIterator[list[bytes]], first: list[bytes], kind: str
) -> AsyncIterator[bytes]:
    framing = (b"", b"", b"\n", b"") if kind == DELIMITED else (b"[", b",", b"", b"]")
    start, before, after, end = framing
    done = 0
    yield start
    lines: list[bytes] | None = first
    while lines is not None:
        accepted, problem = await service.run(inserts.take, lines)
        acks = [b'{"seq":%d,"status":"ok"}' % n for n in range(done, done + accepted)]
        first_ack = done == 0
        done += accepted
        if problem is not None:
            failed = {"@type": "InsertError", "status": "error", "seq": done, "message": problem}
            acks.append(orjson.dumps({**failed, "error_code": 40000}))
        text = b"".join([before + ack + after for ack in acks])
        yield text.removeprefix(before) if first_ack else text
        if problem is not None:
            break
        lines = await anext(batches, None)
    yield end


class Inserts:
    """Rows for one source, in the order they come. Raises StatementError where the source takes none."""

    def __init__(self, engine: Engine, target: str) -> None:
        self._engine = engine
        self._target = column_name(target)
        self._read = RowReader(engine.writable(self._target))

    def take(self, lines: list[bytes]) -> tuple[int, str | None]:
        """Append rows of JSON in one commit; how many were taken, and why the next one was not."""
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
        return accepted, refused or problem

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
