"""/ws/query: one query or PRINT a connection, a text message a row."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final
from urllib.parse import parse_qs

import orjson

from ksqlkit.engine.print_topic import PrintedTopic
from ksqlkit.engine.push import PushQuery
from ksqlkit.engine.rest.entities import column
from ksqlkit.engine.rest.errors import message_of
from ksqlkit.engine.rest.messages import Receive, Refused, read_object, read_options
from ksqlkit.engine.rest.queries import close_push, print_batches, push_batches
from ksqlkit.engine.rest.rows import V1Array
from ksqlkit.engine.rest.service import Service
from ksqlkit.engine.rest.statements import text_of, variables_of
from ksqlkit.errors import KsqlkitError, ParseError

Send = Callable[[dict[str, Any]], Awaitable[None]]
REFUSED: Final = 1003
REASON_BYTES: Final = 123  # what a close frame has room for


async def ws_query(service: Service, query_string: bytes, receive: Receive, send: Send) -> None:
    """Answer the request in the `request` parameter, then close; a client that leaves ends its query."""
    await receive()
    await send({"type": "websocket.accept"})
    answering = asyncio.ensure_future(_answer(service, query_string, send))
    leaving = asyncio.ensure_future(_left(receive))
    await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
    for task in (answering, leaving):
        task.cancel()
    await asyncio.gather(answering, leaving, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def _answer(service: Service, query_string: bytes, send: Send) -> None:
    async def text(data: bytes) -> None:
        await send({"type": "websocket.send", "text": data.decode()})

    code, reason = 1000, "done"
    try:
        async for message in _messages(service, query_string):
            await text(message)
    except (Refused, KsqlkitError) as error:
        code, reason = REFUSED, str(error)
    await text(orjson.dumps({"error": reason}))
    short = reason.encode()[:REASON_BYTES].decode(errors="ignore")
    await send({"type": "websocket.close", "code": code, "reason": short})


async def _messages(service: Service, query_string: bytes) -> AsyncIterator[bytes]:
    request = parse_qs(query_string.decode("latin-1")).get("request", [""])[0]
    try:
        body = read_object(request.encode(), "KsqlRequest")
        properties = read_options(body, "streamsProperties")
        variables = variables_of(read_options(body, "sessionVariables"))
    except Refused as error:
        raise Refused(400, 40000, f"Error parsing request: {error}") from None
    sql = text_of(body.get("ksql"))
    if not sql:
        raise Refused(400, 40000, 'Error parsing request: "ksql" field of "request" must be populated')
    try:
        found = await service.query(sql, properties, variables)
    except ParseError as error:
        place = error.location
        where = f"line {place.line}:{place.column}" if place else "line 1:1"
        raise Refused(400, 40000, f"Error parsing query: {where}: Syntax error at {where}") from None
    except KsqlkitError as error:
        raise Refused(400, 40000, f"Error parsing query: {message_of(error)}") from None
    if isinstance(found, PrintedTopic):
        async for lines in print_batches(service, found):
            for line in lines:
                yield orjson.dumps(line)
        return
    row_text = V1Array(found.query_id, found.columns, open_ended=True).row
    yield orjson.dumps([column(c) for c in found.columns])
    if not isinstance(found, PushQuery):
        for row in found.rows:
            yield row_text(row)
        return
    try:
        async for rows in push_batches(service, found):
            for row in rows:
                yield row_text(row)
    finally:
        await service.run(close_push, service, found)
