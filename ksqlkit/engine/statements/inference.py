"""Columns that a statement leaves out, from the schema registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import types as T
from ksqlkit.engine.catalog import DataSource, Format
from ksqlkit.engine.plan import formats
from ksqlkit.engine.serde import inference, make_serializer
from ksqlkit.engine.serde.registry import SchemaRegistry, subject_name
from ksqlkit.engine.statements.with_clause import WithClause
from ksqlkit.errors import StatementError


def infer_columns(
    node: N.CreateSource,
    columns: tuple[N.ColumnDef, ...],
    clause: WithClause,
    keys: Format,
    values: Format,
    schemas: SchemaRegistry | None,
) -> tuple[N.ColumnDef, ...]:
    """The declared columns with those of a side that declares none, where its format has schemas in the registry.

    Raises StatementError where the registry has no such schema, or one that has no SQL types.
    """
    if schemas is None:
        return columns
    topic = clause.get("KAFKA_TOPIC")
    constraint: Any = "PRIMARY KEY" if node.kind == "TABLE" else "KEY"
    headers = tuple(c for c in columns if c.constraint in ("HEADERS", "HEADER"))
    key = tuple(c for c in columns if c.constraint in ("KEY", "PRIMARY KEY"))
    value = tuple(c for c in columns if c.constraint is None)
    infer_key = not key and keys.name in formats.INFERS_SCHEMA
    infer_value = not value and values.name in formats.INFERS_SCHEMA
    if not infer_key and not infer_value:
        return columns
    if infer_key:
        inference.check_definitions(keys, topic=topic, is_key=True, registry=schemas)
        found = inference.infer_columns(keys, topic=topic, is_key=True, registry=schemas)
        key = tuple(N.ColumnDef(c.name, c.type, constraint) for c in found)
    if infer_value:
        inference.check_definitions(values, topic=topic, is_key=False, registry=schemas)
        found = inference.infer_columns(values, topic=topic, is_key=False, registry=schemas)
        value = tuple(N.ColumnDef(c.name, c.type) for c in found)
    return (*headers, *key, *value)


def register_schemas(source: DataSource, schemas: SchemaRegistry | None) -> None:
    """Register a declared source's schemas for those subjects of its topic that have none."""
    if schemas is None:
        return
    sides = (
        (True, source.key_format, source.schema.key),
        (False, source.value_format, source.schema.value),
    )
    for is_key, fmt, columns in sides:
        register_given(source.topic, fmt, schemas, is_key=is_key)
        new = schemas.latest(subject_name(source.topic, is_key=is_key)) is None
        if columns and new and fmt.name in formats.INFERS_SCHEMA and "SCHEMA_ID" not in dict(fmt.options):
            make_serializer(fmt, columns, is_key=is_key, topic=source.topic, registry=schemas)


def register_given(topic: str, fmt: Format, schemas: SchemaRegistry | None, *, is_key: bool) -> None:
    """Register the schema of the format's SCHEMA_ID under the topic's subject. Raises StatementError where the registry
    has it under another id."""
    number = dict(fmt.options).get("SCHEMA_ID")
    given = schemas.by_id(int(number)) if schemas is not None and number else None
    if schemas is None or given is None or fmt.name not in formats.INFERS_SCHEMA:
        return
    subject = subject_name(topic, is_key=is_key)
    made = schemas.register_again(subject, given)
    if made.id != given.id:
        raise StatementError(
            f"Schema id registered is {made.id} which is different from provided "
            f"{'KEY' if is_key else 'VALUE'}_SCHEMA_ID {given.id}.\nTopic: {topic}\nSubject: {subject}\n"
            f"Schema: {given.schema}"
        )


def check_sink_schema(
    columns: Sequence[tuple[str, T.SqlType]],
    clause: WithClause,
    fmt: Format,
    schemas: SchemaRegistry | None,
    *,
    is_key: bool,
) -> None:
    """A sink with SCHEMA_ID must have that schema's columns, at the same places. Raises StatementError."""
    side = "KEY" if is_key else "VALUE"
    if clause.get(f"{side}_SCHEMA_ID") is None or schemas is None:
        return
    topic = clause.get("KAFKA_TOPIC") or ""
    found = inference.infer_columns(fmt, topic=topic, is_key=is_key, registry=schemas)
    wanted = [(c.name, c.type) for c in found]
    lost = [c for i, c in enumerate(columns) if i >= len(wanted) or wanted[i] != c]
    if lost:
        mark = " KEY" if is_key else ""
        shown = ", ".join(f"`{n}` {t}{mark}" for n, t in lost)
        have = ", ".join(f"`{n}` {t}{mark}" for n, t in wanted)
        raise StatementError(
            f"The following {side.lower()} columns are changed, missing or reordered: [{shown}]. "
            f"Schema from schema registry is [{have}]"
        )
