"""POST /ksql: statements other than queries."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from ksqlkit.engine.rest.entities import entity
from ksqlkit.engine.rest.errors import error_reply
from ksqlkit.engine.rest.messages import JSON, V1, Refused, Reply, Request, json_reply, read_options
from ksqlkit.engine.rest.service import Service
from ksqlkit.errors import KsqlkitError

ANSWERS: Final = {V1: JSON, JSON: JSON, "application/*": JSON, "*/*": JSON}
SEQUENCE_TIMEOUT: Final = 5.0


async def post_ksql(service: Service, request: Request) -> Reply:
    """Run the statements; entities of those that have an answer."""
    request.negotiate(ANSWERS, JSON)
    body = await request.json("KsqlRequest")
    properties = read_options(body, "streamsProperties")
    variables = read_options(body, "sessionVariables")
    sql = text_of(body.get("ksql"))
    await wait_for_command(service, body)
    if not sql:
        return json_reply([])
    try:
        results = await service.run(
            service.engine.execute, sql, properties=properties, variables=variables_of(variables)
        )
    except KsqlkitError as error:
        return error_reply(error, sql)
    return json_reply([entity(result) for result in results])


def text_of(value: object) -> str:
    """Text of a JSON scalar, as Jackson reads it into a string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def variables_of(found: Mapping[str, Any]) -> dict[str, str]:
    """Session variables: values are text."""
    return {name: text_of(value) for name, value in found.items()}


async def wait_for_command(service: Service, body: Mapping[str, Any]) -> None:
    """Wait until the command a client has seen is done here too; 503 after SEQUENCE_TIMEOUT seconds."""
    wanted = body.get("commandSequenceNumber")
    if wanted is None:
        return
    if not isinstance(wanted, int):
        raise Refused(400, 40000, 'Invalid JSON in request: "commandSequenceNumber" must be a number')
    until = asyncio.get_running_loop().time() + SEQUENCE_TIMEOUT
    while wanted >= service.engine.context.next_sequence:
        if asyncio.get_running_loop().time() >= until:
            raise Refused(
                503,
                50301,
                "Timed out while waiting for a previous command to execute. "
                f"command sequence number: {wanted}",
                content_type=JSON,
            )
        await asyncio.sleep(0.05)
