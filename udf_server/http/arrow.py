"""SQL values as Arrow columns: a column's type is the declared one, whatever its values are."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from udf_server.errors import ServiceError
from udf_server.sqltype import SqlType

# Times are counted as on the JSON wire: milliseconds since 1970 or midnight, days since 1970.
_SIMPLE: Final = {
    "BOOLEAN": "bool_", "INTEGER": "int32", "BIGINT": "int64", "DOUBLE": "float64", "VARCHAR": "string",
    "BYTES": "binary", "TIME": "int32", "DATE": "int32", "TIMESTAMP": "int64",
}  # fmt: skip


@cache
def arrow_type(declared: SqlType | None) -> Any:
    """Arrow's type of a SQL type; None, to be told from the values, for one that is not known."""
    import pyarrow as pa

    if declared is None:
        return None
    if declared.name == "DECIMAL":
        return pa.decimal128(declared.precision, declared.scale)
    if declared.name in _SIMPLE:
        return getattr(pa, _SIMPLE[declared.name])()
    inside = [arrow_type(item) for item in declared.items]
    if declared.name == "ARRAY":
        return pa.list_(inside[0])
    if declared.name == "MAP":
        return pa.map_(*inside)
    return pa.struct(list(zip(declared.fields, inside, strict=True)))


def open_table(body: bytes) -> Any:
    """The table of an Arrow stream; raises ServiceError for what is none."""
    try:
        import pyarrow as pa
    except ImportError as error:
        message = "Arrow needs pyarrow on the server: install ksqlkit[load], or send application/json"
        raise ServiceError(415, "NO_ARROW", message) from error
    try:
        table = pa.ipc.open_stream(body).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        message = f"the body is not an Arrow stream: {error}"
        raise ServiceError(400, "MALFORMED", message[:500]) from error
    return table


def columns_of(table: Any) -> list[list[Any]]:
    """The columns as the values that JSON would have brought: times as numbers, maps as dicts."""
    try:
        return [_plain(column).to_pylist(maps_as_pydicts="strict") for column in table.columns]
    except KeyError as error:
        raise ServiceError(400, "MALFORMED", f"a map has a key twice: {error}") from error


def _plain(column: Any) -> Any:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("ms", kind.tz), safe=False).cast(pa.int64())
    if pa.types.is_date(kind):
        return column.cast(pa.date32()).cast(pa.int32())
    if pa.types.is_time(kind):
        return column.cast(pa.time32("ms"), safe=False).cast(pa.int32())
    return column
