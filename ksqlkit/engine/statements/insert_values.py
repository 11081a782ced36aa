"""INSERT INTO ... VALUES: one record, written at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import print_expression
from ksqlkit.dialect.printer import masked_insert
from ksqlkit.engine.catalog import DataSource
from ksqlkit.engine.context import Context, Prepared
from ksqlkit.engine.log.partitioner import partition_for
from ksqlkit.engine.log.protocol import Output
from ksqlkit.engine.schema import PSEUDO
from ksqlkit.engine.serde import SerdeError, make_serializer
from ksqlkit.engine.statements.values import evaluate
from ksqlkit.errors import StatementError


def insert_values(ctx: Context, prepared: Prepared) -> None:
    """Write one record. Raises StatementError with ksqlDB's messages; nothing is written then."""
    node = prepared.node
    assert isinstance(node, N.InsertValues)
    prepared.text = masked_insert(node)
    source = writable(ctx, node.target)
    headers = [c.name for c in source.schema.value if c.header is not None]
    if refused := [h for h in headers if not node.columns or h in node.columns]:
        raise StatementError(f"Cannot insert into HEADER columns: {', '.join(refused)}", error_code=40000)
    try:
        ctx.on_append([_record(ctx, source, node)])
    except (StatementError, SerdeError) as error:
        raise StatementError(f"Failed to insert values into '{node.target}'. {error.message}") from None


def writable(ctx: Context, name: str) -> DataSource:
    """The source of that name, if records may be inserted. Raises StatementError."""
    source = ctx.catalog.get(name)
    if source is None:
        raise StatementError(
            f"Cannot insert values into an unknown stream/table: `{name}`{ctx.catalog.alternatives(name)}",
            error_code=40000,
        )
    if source.window is not None:
        raise StatementError("Cannot insert values into windowed stream/table!", error_code=40000)
    if source.topic == ctx.properties["ksql.logging.processing.topic.name"]:
        raise StatementError(f"Cannot insert values into read-only topic: {source.topic}", error_code=40000)
    if source.read_only:
        raise StatementError(
            f"Cannot insert values into read-only {source.kind.lower()}: {name}", error_code=40000
        )
    return source


def _record(ctx: Context, source: DataSource, node: N.InsertValues) -> Output:
    schema = source.schema
    columns = node.columns or tuple(c.name for c in schema.columns)
    if len(columns) != len(node.values):
        got = ", ".join(print_expression(v) for v in node.values)
        raise StatementError(f"Expected a value for each column. Expected Columns: []. Got [{got}]")
    types = {c.name: c.type for c in schema.columns} | PSEUDO
    for name in columns:
        if name not in types:
            raise StatementError(f"Column name `{name}` does not exist.")
        if name in PSEUDO and name != "ROWTIME":
            raise StatementError(f"Inserting into column `{name}` is not allowed.")
    values = {
        name: evaluate(expr, name, types[name], ctx.functions, "insert value")
        for name, expr in zip(columns, node.values, strict=True)
    }
    return make_record(ctx, source, values)


def make_record(ctx: Context, source: DataSource, values: Mapping[str, Any]) -> Output:
    """The record for typed values by column name; columns left out are null. Raises StatementError and SerdeError."""
    schema = source.schema
    missing = [c.name for c in schema.key if c.name not in values]
    if source.kind == "TABLE" and missing:
        raise StatementError(f"Value for primary key column(s) {', '.join(missing)} is required for tables")
    timestamp = values.get("ROWTIME")
    if timestamp is None:
        timestamp = ctx.clock.now()
    if timestamp < 0:
        raise StatementError(
            f"Invalid timestamp: {timestamp}. Timestamp should always be non-negative or null."
        )
    plain = [c for c in schema.value if c.header is None]
    key = make_serializer(
        source.key_format, schema.key, is_key=True, topic=source.topic, registry=ctx.schemas
    )(_row(values, [c.name for c in schema.key], all_null_is_none=True))
    value = make_serializer(
        source.value_format, plain, is_key=False, topic=source.topic, registry=ctx.schemas
    )(tuple(values.get(c.name) for c in plain))
    topic = ctx.topic(source.topic)
    partition = partition_for(key, topic.partitions if topic else source.partitions)
    return Output(source.topic, partition, timestamp, key, value)


def _row(
    values: Mapping[str, Any], names: Sequence[str], *, all_null_is_none: bool
) -> tuple[Any, ...] | None:
    row = tuple(values.get(n) for n in names)
    return None if all_null_is_none and all(v is None for v in row) else row
