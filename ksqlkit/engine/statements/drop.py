"""DROP, ALTER, CREATE TYPE and DROP TYPE."""

from __future__ import annotations

from dataclasses import replace

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.context import Context, Prepared
from ksqlkit.engine.plan import formats
from ksqlkit.engine.results import Result
from ksqlkit.engine.schema import Column
from ksqlkit.engine.statements.create import resolve_columns_of, resolve_type
from ksqlkit.engine.statements.echo import terminated
from ksqlkit.errors import StatementError


def drop_source(ctx: Context, prepared: Prepared) -> Result:
    """Drop a stream or table, with the query that made it and, if asked, its topic. Raises StatementError."""
    node = prepared.node
    assert isinstance(node, N.Drop)
    source = ctx.catalog.get(node.name)
    command_id = f"{node.kind.lower()}/{node.name}/drop"
    if source is None:
        if not node.if_exists:
            if node.delete_topic:
                raise StatementError(
                    f"Could not find source to delete topic for: {prepared.text}", error_code=40000
                )
            hint = ctx.catalog.alternatives(node.name, node.kind)
            raise StatementError(f"{node.kind.capitalize()} {node.name} does not exist.{hint}")
        return ctx.command(prepared, command_id, f"Source `{node.name}` does not exist.")
    if source.kind != node.kind:
        raise StatementError(
            f"Incompatible data source type is {source.kind.lower()}, but statement was DROP "
            f"{node.kind.lower()}"
        )
    if node.delete_topic:
        if source.read_only:
            raise StatementError(f"Cannot delete topic for read-only source: {node.name}", error_code=40000)
        shared = [s.name for s in ctx.catalog if s.topic == source.topic and s.name != node.name]
        if shared:
            raise StatementError(
                f"Refusing to delete topic. Found other data sources ({', '.join(shared)}) using topic "
                f"{source.topic}"
            )
        exists = "IF EXISTS " if node.if_exists else ""
        prepared.text = terminated(f"DROP {node.kind} {exists}{node.name}")
    _check_references(ctx, node.name, source.query_id)
    ctx.catalog.remove(node.name)
    result = ctx.command(prepared, command_id, f"Source `{node.name}` (topic: {source.topic}) was dropped.")
    if source.query_id in ctx.queries:
        assert source.query_id is not None
        ctx.stop_query(source.query_id)
    if node.delete_topic:
        ctx.delete_topic(source.topic)
    return result


def _check_references(ctx: Context, name: str, own_query: str | None) -> None:
    inserts = [q for q in ctx.queries.values() if q.id != own_query and q.insert]
    reading = sorted(q.id for q in inserts if name in q.plan.sources)
    writing = sorted(q.id for q in inserts if name in q.sinks)
    if reading or writing:
        raise StatementError(
            f"Cannot drop {name}.\n"
            f"The following queries read from this source: [{', '.join(reading)}].\n"
            f"The following queries write into this source: [{', '.join(writing)}].\n"
            f"You need to terminate them before dropping {name}."
        )
    if readers := ctx.catalog.readers(name):
        raise StatementError(
            f"Cannot drop {name}.\n"
            f"The following streams and/or tables read from this source: [{', '.join(readers)}].\n"
            f"You need to drop them before dropping {name}."
        )


def alter_source(ctx: Context, prepared: Prepared) -> Result:
    """Add columns to a stream or table that no query made. Raises StatementError."""
    node = prepared.node
    assert isinstance(node, N.AlterSource)
    source = ctx.catalog.get(node.name)
    if source is None:
        raise StatementError(f"Source {node.name} does not exist.")
    if source.kind != node.kind:
        raise StatementError(
            f"Incompatible data source type is {source.kind}, but statement was ALTER {node.kind}"
        )
    if source.read_only:
        kind = source.kind.lower()
        raise StatementError(
            f"Cannot alter {kind} '{node.name}': ALTER operations are not supported on source {kind}s."
        )
    if source.query_id is not None:
        raise StatementError("ALTER command is not supported for CREATE ... AS statements.")
    columns = source.schema.value
    for added in resolve_columns_of(node.columns, ctx.catalog):
        if any(c.name == added.name for c in (*source.schema.key, *columns)):
            raise StatementError(
                f"Cannot add column `{added.name}` to schema. A column with the same name already exists."
            )
        columns = (*columns, Column(added.name, added.type))
    formats.check_value(source.value_format, columns)
    written = f"{source.sql}\n{prepared.text}"
    changed = replace(source, schema=replace(source.schema, value=columns), sql=written)
    ctx.catalog.put(changed)
    command_id = f"{node.kind.lower()}/{node.name}/alter"
    return ctx.command(prepared, command_id, f"{node.kind.capitalize()} {node.name} altered.")


def create_type(ctx: Context, prepared: Prepared) -> Result:
    """Name a type. Raises StatementError when the name is taken."""
    node = prepared.node
    assert isinstance(node, N.CreateType)
    command_id = f"type/{node.name}/create"
    existing = ctx.catalog.types.get(node.name)
    if existing is not None:
        if not node.if_not_exists:
            raise StatementError(
                f"Cannot register custom type '{node.name}' since it is already registered with type: "
                f"{existing}"
            )
        return ctx.command(prepared, command_id, f"{node.name} is already registered with type {existing}")
    resolved = resolve_type(node.type, ctx.catalog)
    ctx.catalog.types[node.name] = resolved
    message = f"Registered custom type with name '{node.name}' and SQL type {resolved}"
    return ctx.command(prepared, command_id, message)


def drop_type(ctx: Context, prepared: Prepared) -> Result:
    """Forget a type's name; columns declared with it keep their type. Raises StatementError for unknown names."""
    node = prepared.node
    assert isinstance(node, N.DropType)
    command_id = f"type/{node.name}/drop"
    if node.name not in ctx.catalog.types:
        if not node.if_exists:
            raise StatementError(f"Type {node.name} does not exist.")
        return ctx.command(prepared, command_id, f"Type '{node.name}' does not exist")
    del ctx.catalog.types[node.name]
    return ctx.command(prepared, command_id, f"Dropped type '{node.name}'")
