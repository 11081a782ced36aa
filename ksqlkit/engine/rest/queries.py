"""/query, /query-stream and /close-query: rows to a client, in whole or as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from ksqlkit.engine.print_topic import PrintedTopic
from ksqlkit.engine.push import PushQuery, Row
from ksqlkit.engine.rest.errors import PREPARING, error_entity, error_reply, message_of
from ksqlkit.engine.rest.messages import (
    DELIMITED,
    JSON,
    PROTOBUF,
    V1,
    Refused,
    Reply,
    Request,
    Stream,
    read_options,
)
from ksqlkit.engine.rest.rows import Framing, make_framing, row_errors_line
from ksqlkit.engine.rest.service import Service
from ksqlkit.engine.rest.statements import text_of, variables_of, wait_for_command
from ksqlkit.engine.results import PullResult
from ksqlkit.errors import KsqlkitError, ParseError

ROWS_A_PART: Final = 1000  # a larger one costs each of many clients memory
ROWS_AT_ONCE: Final = 100  # of a pull query: written on the event loop, and in one piece
PROGRESS_SECONDS: Final = 0.5
PRINT_SECONDS: Final = 0.1
_NOT_ONE_QUERY: Final = ("Expected exactly one", "Neither a query")
QUERY_ANSWERS: Final = {
    V1: V1,
    JSON: V1,
    DELIMITED: DELIMITED,
    PROTOBUF: PROTOBUF,
    "*/*": DELIMITED,
    "application/*": DELIMITED,
}
STREAM_ANSWERS: Final = QUERY_ANSWERS | {JSON: JSON}
# A request's header; no other client is told, as ksqlDB has no such line.
ROW_ERRORS: Final = "x-ksqlkit-row-errors"


async def post_query(service: Service, request: Request) -> Reply | Stream:
    """The older form: the request's members are those of /ksql."""
    kind = request.negotiate(QUERY_ANSWERS, V1)
    body = await request.json("KsqlRequest")
    properties = read_options(body, "streamsProperties")
    variables = read_options(body, "sessionVariables")
    sql = text_of(body.get("ksql"))
    await wait_for_command(service, body)
    if not sql.strip():
        raise Refused(400, 40000, '"ksql" field must be populated', content_type=JSON)
    try:
        return await _answer(service, sql, properties, variables, kind, print_type=JSON)
    except KsqlkitError as error:
        if isinstance(error, ParseError) and error.location is not None and "Syntax Error" in error.message:
            line, column = error.location.line, error.location.column
            error.message += f"\nCaused by: line {line}:{column}: Syntax error at line {line}:{column}"
        return error_reply(error, sql, content_type=JSON if _is_early(error) else None)


async def post_query_stream(service: Service, request: Request) -> Reply | Stream:
    """The newer form."""
    kind = request.negotiate(STREAM_ANSWERS, DELIMITED)
    body = await request.json("QueryStreamArgs")
    if "sql" not in body:
        raise Refused(
            400, 40000, "Invalid JSON in request: Missing required creator property 'sql' (index 0)"
        )
    properties = read_options(body, "properties")
    variables = read_options(body, "sessionVariables")
    sql = text_of(body["sql"])
    telling = kind == DELIMITED and ROW_ERRORS in request.headers
    try:
        return await _answer(service, sql, properties, variables, kind, print_type=None, telling=telling)
    except KsqlkitError as error:
        if error.message.startswith(_NOT_ONE_QUERY):
            error.message += f"\nStatement: {sql}"
        return error_reply(error, sql, content_type=None)


async def post_close_query(service: Service, request: Request) -> Reply:
    """End a push query."""
    body = await request.json("CloseQueryArgs")
    if "queryId" not in body:
        raise Refused(
            400, 40000, "Invalid JSON in request: Missing required creator property 'queryId' (index 0)"
        )
    query_id = text_of(body["queryId"])
    if not await service.run(service.engine.close_query, query_id):
        raise Refused(400, 40000, f"No query with id {query_id}")
    return Reply(b"", None)


async def _answer(
    service: Service,
    sql: str,
    properties: Mapping[str, Any],
    variables: Mapping[str, Any],
    kind: str,
    *,
    print_type: str | None,
    telling: bool = False,
) -> Reply | Stream:
    found = await service.query(sql, properties, variables_of(variables))
    if isinstance(found, PrintedTopic):
        return Stream(_printed(service, found, formats=print_type is not None), print_type)
    framing = make_framing(kind, found.query_id, found.columns, open_ended=isinstance(found, PushQuery))
    if isinstance(found, PullResult):
        end = framing.end(None)
        if telling and found.row_errors.count:
            end = row_errors_line(found.row_errors) + end
        if len(found.rows) > ROWS_AT_ONCE:
            return Stream(_pulled(service, found, framing, end), kind)
        return Reply(framing.header() + (framing.rows(found.rows) if found.rows else b"") + end, kind)

    async def close() -> None:
        await service.run(close_push, service, found)

    return Stream(_pushed(service, found, framing, telling=telling), kind, close)


def _is_early(error: KsqlkitError) -> bool:
    """Whether ksqlDB's older endpoint finds it before it plans, and then sends a content type."""
    early = (PREPARING, *_NOT_ONE_QUERY)
    return isinstance(error, ParseError) or error.error_code == 40000 or message_of(error).startswith(early)


def close_push(service: Service, push: PushQuery) -> None:
    """End a push query; on a thread, as it takes the engine's lock."""
    service.engine.close_query(push.query_id)
    push.close()


async def _pulled(service: Service, found: PullResult, framing: Framing, end: bytes) -> AsyncIterator[bytes]:
    first = framing.header()
    for start in range(0, len(found.rows), ROWS_A_PART):
        part = await service.run(framing.rows, found.rows[start : start + ROWS_A_PART])
        yield first + part
        first = b""
    yield first + end


async def _pushed(
    service: Service, push: PushQuery, framing: Framing, *, telling: bool
) -> AsyncIterator[bytes]:
    yield framing.header()
    told = 0
    try:
        async for rows in push_batches(service, push):
            if rows:
                yield await service.run(framing.rows, rows)
            if telling and push.row_errors.count != told:
                told = push.row_errors.count
                yield row_errors_line(push.row_errors)
    except KsqlkitError as error:
        yield framing.failed(error_entity(error))
        return
    yield framing.end(push.final_message)


async def push_batches(service: Service, push: PushQuery) -> AsyncIterator[list[Row]]:
    """Rows as they come, as long as the query lives; none where there are only new errors of rows. A client that does
    not read stops the query's work."""
    errors = 0
    while True:
        over = push.done  # asked first: rows that came before the end are still there
        rows = await service.run(push.poll, ROWS_A_PART)
        if rows or push.row_errors.count != errors:
            errors = push.row_errors.count
            yield rows
        elif over:
            return
        else:
            await service.progress(PROGRESS_SECONDS)


async def print_batches(service: Service, topic: PrintedTopic) -> AsyncIterator[list[str]]:
    """A topic's records as lines, as they come."""
    while not topic.done and not service.closing:
        lines = await service.run(topic.poll)
        if lines:
            yield lines
        elif not topic.done:
            await service.progress(PRINT_SECONDS)


async def _printed(service: Service, topic: PrintedTopic, *, formats: bool) -> AsyncIterator[bytes]:
    async for lines in print_batches(service, topic):
        first = topic.formats if formats else ()
        formats = False
        yield "\n".join([*first, *lines, ""]).encode()
