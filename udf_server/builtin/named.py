"""Rows that name the model they ask."""

from __future__ import annotations

from udf_server.context import Context
from udf_server.errors import ModelError
from udf_server.function import RowError


def refusal(context: Context, name: str, error: ModelError) -> RowError:
    """The error of a row whose model does not answer: INVALID_INPUT where the row is at fault, as it names what is not
    there or is of another kind, UNAVAILABLE where what it means is there and cannot be loaded."""
    known, _, number = name.partition("@")
    version = int(number) if number.isdecimal() else None
    try:
        there = context.models.store.versions(known)
    except ModelError:
        return RowError(str(error))
    if not there or (version and version not in there):
        return RowError(str(error))
    try:
        context.models.get(known, version)
    except ModelError:
        return RowError(str(error), "UNAVAILABLE")
    return RowError(str(error))
