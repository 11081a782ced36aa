"""The TIMESTAMP property: which column a record's timestamp is taken from."""

from __future__ import annotations

from ksqlkit.dialect import types as T
from ksqlkit.engine.analysis.text import fail
from ksqlkit.engine.schema import Schema


def timestamp_column(given: str, fmt: str | None, schema: Schema) -> str:
    """The name of the column the property names (quoted or in any case). Raises StatementError with ksqlDB's message
    for an unknown column, a type that holds no time, and a TIMESTAMP_FORMAT where it does not belong."""
    quoted = len(given) > 1 and given[0] == given[-1] and given[0] in '`"'
    name = given[1:-1] if quoted else given.upper()
    column = schema.find(name)
    if column is None:
        raise fail(f"The TIMESTAMP column set in the WITH clause does not exist in the schema: '{name}'")
    if column.type == T.STRING:
        if fmt is None:
            raise fail(
                "A String timestamp field has been specified without also specifying the timestamp_format"
            )
    elif fmt is not None:
        raise fail(
            "'TIMESTAMP_FORMAT' set in the WITH clause can only be used when the timestamp column is of type STRING."
        )
    elif column.type not in (T.BIGINT, T.TIMESTAMP):
        raise fail(
            f"Timestamp column, `{name}`, should be LONG(INT64), TIMESTAMP, or a String with a timestamp_format "
            "specified."
        )
    return name
