"""Errors of the engine as ksqlDB's error bodies."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from ksqlkit.engine.rest.messages import JSON, Reply
from ksqlkit.errors import KsqlkitError, ParseError, StatementError

_SYNTAX: Final = re.compile("syntax error", re.IGNORECASE)
PREPARING: Final = "Exception while preparing statement"


def error_entity(error: KsqlkitError, sql: str = "") -> dict[str, Any]:
    """`statement_error` with the statement for what a statement means, `generic_error` for all else."""
    message = message_of(error)
    head = {"error_code": error.error_code, "message": message}
    if isinstance(error, StatementError | ParseError) and error.error_code in (40001, 40002):
        statement = getattr(error, "statement", None) or sql
        return {"@type": "statement_error", **head, "statementText": statement, "entities": []}
    return {"@type": "generic_error", **head}


def message_of(error: KsqlkitError) -> str:
    """The message as ksqlDB gives it: with the place for a syntax error."""
    place = error.location
    if isinstance(error, ParseError) and place is not None and place.line and _SYNTAX.match(error.message):
        return f"line {place.line}:{place.column}: {error.message}"
    return error.message


def error_reply(error: KsqlkitError, sql: str = "", *, content_type: str | None = JSON) -> Reply:
    """The whole answer for an error."""
    return Reply(orjson.dumps(error_entity(error, sql)), content_type, error.status)
