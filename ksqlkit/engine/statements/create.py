"""CREATE STREAM and CREATE TABLE over a topic."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import types as T
from ksqlkit.engine.catalog import Catalog, DataSource, Format
from ksqlkit.engine.context import Context, PersistentQuery, Prepared
from ksqlkit.engine.log.protocol import TopicInfo
from ksqlkit.engine.plan import formats
from ksqlkit.engine.plan.steps import QueryPlan, SourceStep
from ksqlkit.engine.plan.timestamp_column import timestamp_column
from ksqlkit.engine.results import Result, WarningEntity
from ksqlkit.engine.schema import PSEUDO, WINDOW_BOUNDS, Column, Schema
from ksqlkit.engine.statements import with_clause
from ksqlkit.engine.statements.echo import create_source_text, name_text
from ksqlkit.engine.statements.inference import infer_columns, register_schemas
from ksqlkit.engine.statements.upgrade import check_upgrade
from ksqlkit.engine.statements.with_clause import PREPARE, WithClause
from ksqlkit.errors import StatementError

_HEADERS = T.Array(T.Struct((("KEY", T.STRING), ("VALUE", T.BYTES))))


def create_source(ctx: Context, prepared: Prepared) -> Result:
    """Declare a stream or table over a topic; creates the topic where PARTITIONS is given. Raises StatementError."""
    node = prepared.node
    assert isinstance(node, N.CreateSource)
    clause = with_clause.read(node.properties, with_clause.CREATE, topic_required=True)
    columns = resolve_columns(node, ctx.catalog)
    existing = ctx.catalog.get(node.name)
    if existing is not None and node.if_not_exists:
        return already_exists(prepared, node.kind, existing)
    key_format, value_format, clause = _formats(ctx, prepared, columns, clause)
    for fmt in (key_format, value_format):
        _check_registry(ctx, clause, fmt)
    _check_schema_ids(clause, columns)
    declared, columns = columns, infer_columns(node, columns, clause, key_format, value_format, ctx.schemas)
    topic = _topic(ctx, node, columns, clause)
    prepared.text = create_source_text(node, columns, clause, {"CLEANUP_POLICY": _policy(node)})
    if columns != declared and clause.get("KEY_SCHEMA_ID") is None and clause.get("VALUE_SCHEMA_ID") is None:
        # A restart must find these columns, whatever is registered by then.
        prepared.written = create_source_text(node, columns, clause, {})
    schema = _schema(columns)
    if existing is not None and not node.or_replace:
        kind, other = node.kind.lower(), existing.kind.lower()
        raise StatementError(f"Cannot add {kind} '{node.name}': A {other} with the same name already exists")
    _check_replace(node, existing)
    if node.kind == "TABLE" and not schema.key:
        raise StatementError("Tables require a PRIMARY KEY. Please define the PRIMARY KEY.")
    timestamp = clause.get("TIMESTAMP")
    if timestamp is not None:
        timestamp = timestamp_column(timestamp, clause.get("TIMESTAMP_FORMAT"), schema)
    value_format = _wrapping(ctx, prepared, value_format, schema)
    formats.check_key(key_format, schema.key)
    formats.check_value(value_format, schema.value)
    if clause.window is not None and not schema.key:
        raise StatementError("Windowed sources require a key column.")
    source = DataSource(
        name=node.name,
        kind=node.kind,
        schema=schema,
        topic=topic.name,
        key_format=key_format,
        value_format=value_format,
        partitions=topic.partitions,
        replicas=topic.replicas,
        timestamp_column=timestamp,
        timestamp_format=clause.get("TIMESTAMP_FORMAT"),
        window=clause.window,
        read_only=node.source,
        sql=prepared.text,
    )
    if existing is not None:
        check_upgrade(existing, source)
    ctx.create_topic(topic)
    register_schemas(source, ctx.schemas)
    message, query_id = f"{node.kind.capitalize()} created", None
    if node.source and node.kind == "TABLE":
        query = _materialize(ctx, source, prepared)
        ctx.start_query(query)
        source = replace(source, query_id=query.id)
        query_id = query.id
        message = f"Created query with ID {query.id}"
    ctx.catalog.put(source)
    command_id = f"{node.kind.lower()}/{name_text(node.name)}/create"
    return ctx.command(prepared, command_id, message, query_id)


def already_exists(prepared: Prepared, kind: str, existing: DataSource) -> WarningEntity:
    """What IF NOT EXISTS answers."""
    return WarningEntity(
        statement_text=prepared.text,
        message=f"Cannot add {kind.lower()} `{existing.name}`: A {existing.kind.lower()} with the same name "
        "already exists.",
    )


def resolve_type(t: T.SqlType, catalog: Catalog) -> T.SqlType:
    """The type with names of CREATE TYPE replaced. Raises StatementError for an unknown name."""
    match t:
        case T.Named(name):
            found = catalog.types.get(name)
            if found is None:
                raise StatementError(f"{PREPARE}Cannot resolve unknown type: {name}")
            return found
        case T.Array(item):
            return T.Array(resolve_type(item, catalog))
        case T.Map(key, value):
            return T.Map(resolve_type(key, catalog), resolve_type(value, catalog))
        case T.Struct(fields):
            return T.Struct(tuple((n, resolve_type(f, catalog)) for n, f in fields))
        case _:
            return t


def resolve_columns(node: N.CreateSource | N.AssertSource, catalog: Catalog) -> tuple[N.ColumnDef, ...]:
    """The declared columns with types resolved and key words checked against the kind."""
    wrong = "KEY" if node.kind == "TABLE" else "PRIMARY KEY"
    for column in node.columns:
        if column.constraint == wrong:
            right, others = ("PRIMARY KEY", "tables") if wrong == "KEY" else ("KEY", "streams")
            place = f"Line: {column.span.line}, Col: {column.span.column}: " if column.span else ""
            raise StatementError(
                f"{place}Column `{column.name}` is a '{wrong}' column: please use '{right}' for {others}.\n"
                "Tables have PRIMARY KEYs, which are unique and NON NULL.\n"
                "Streams have KEYs, which have no uniqueness or NON NULL constraints.",
                statement=f"`{column.name}`",
            )
    twice = [name for name, n in Counter(c.name for c in node.columns).items() if n > 1]
    if twice:
        raise StatementError(f"{PREPARE}Duplicate column names: {', '.join(f'`{n}`' for n in twice)}")
    columns = resolve_columns_of(node.columns, catalog)
    for column in columns:
        expected = {"HEADERS": _HEADERS, "HEADER": T.BYTES}.get(column.constraint or "", column.type)
        if column.type != expected:
            word = "HEADERS" if column.constraint == "HEADERS" else f"HEADER('{column.header}')"
            raise StatementError(f"Invalid type for {word} column: expected {expected}, got {column.type}")
    return columns


def resolve_columns_of(columns: tuple[N.ColumnDef, ...], catalog: Catalog) -> tuple[N.ColumnDef, ...]:
    """The columns with names of types replaced by what they stand for."""
    return tuple(replace(c, type=resolve_type(c.type, catalog)) for c in columns)


def make_schema(columns: tuple[N.ColumnDef, ...]) -> Schema:
    """Declared columns as a schema."""
    key = tuple(Column(c.name, c.type) for c in columns if c.constraint in ("KEY", "PRIMARY KEY"))
    value = tuple(
        Column(c.name, c.type, {"HEADERS": "", "HEADER": c.header}.get(c.constraint or ""))
        for c in columns
        if c.constraint not in ("KEY", "PRIMARY KEY")
    )
    return Schema(key, value, tuple(c.name for c in columns))


def _schema(columns: tuple[N.ColumnDef, ...]) -> Schema:
    if not columns:
        raise StatementError("No columns supplied.")
    for column in columns:
        if column.name in PSEUDO or column.name in WINDOW_BOUNDS:
            raise StatementError(
                f"'{column.name}' is a reserved column name. You cannot use it as a name for a column."
            )
    headers = [c for c in columns if c.constraint in ("HEADERS", "HEADER")]
    if any(c.constraint == "HEADERS" for c in headers) and len(headers) > 1:
        raise StatementError("Schema already contains a HEADERS column.")
    twice = [key for key, n in Counter(c.header for c in headers).items() if n > 1]
    if twice:
        raise StatementError(f"Schema already contains a HEADER('{twice[0]}') column.")
    return make_schema(columns)


def _formats(
    ctx: Context, prepared: Prepared, columns: tuple[N.ColumnDef, ...], clause: WithClause
) -> tuple[Format, Format, WithClause]:
    """Key and value formats with the settings' defaults, and the clause with those filled in."""
    node = prepared.node
    assert isinstance(node, N.CreateSource)
    settings = ctx.settings(prepared)
    found: list[Format] = []
    literals = dict(clause.literals)
    for side in ("KEY", "VALUE"):
        try:
            fmt = clause.format(side)
        except StatementError as error:
            error.statement = create_source_text(node, columns, WithClause(clause.values, literals), {})
            raise
        if fmt is None:
            setting = f"ksql.persistence.default.format.{side.lower()}"
            name = settings[setting]
            if name is None:
                raise StatementError(
                    f"Statement is missing the '{side}_FORMAT' property from the WITH clause. "
                    f"Either provide one or set a default via the '{setting}' config."
                )
            fmt = clause.make_format(name, side)
            literals[f"{side}_FORMAT"] = N.StringLiteral(name)
        found.append(fmt)
    return found[0], found[1], WithClause(clause.values, literals)


def _check_registry(ctx: Context, clause: WithClause, fmt: Format) -> None:
    if fmt.name in formats.INFERS_SCHEMA and ctx.schemas is None:
        raise StatementError(
            f"Cannot create topic '{clause.get('KAFKA_TOPIC')}' with format {fmt.name} without configuring "
            "'ksql.schema.registry.url'",
            error_code=42801,
            status=428,
        )


def _check_schema_ids(clause: WithClause, columns: tuple[N.ColumnDef, ...]) -> None:
    for side in ("KEY", "VALUE"):
        if clause.get(f"{side}_SCHEMA_ID") is None:
            continue
        own = [c for c in columns if (c.constraint in ("KEY", "PRIMARY KEY")) == (side == "KEY")]
        if own:
            raise StatementError(
                f"Table elements and {side}_SCHEMA_ID cannot both exist for create statement."
            )


def _policy(node: N.CreateSource) -> str:
    return "compact" if node.kind == "TABLE" else "delete"


def _topic(
    ctx: Context, node: N.CreateSource, columns: tuple[N.ColumnDef, ...], clause: WithClause
) -> TopicInfo:
    """The topic the source lies in, as it is or as it is to be created."""
    name = clause.get("KAFKA_TOPIC")
    existing = ctx.topic(name)
    partitions, replicas = clause.get("PARTITIONS"), clause.get("REPLICAS")
    if not columns and node.kind == "STREAM" and existing is None and partitions is None:
        raise StatementError(f"Kafka topic does not exist: {name}", error_code=40000)
    if existing is None and partitions is None:
        example = create_source_text(node, columns, clause, {"PARTITIONS": 2})
        raise StatementError(
            f"Topic '{name}' does not exist. If you want to create a new topic for the stream/table please "
            "re-run the statement providing the required 'PARTITIONS' configuration in the WITH clause "
            f"(and optionally 'REPLICAS'). For example: {example}",
            error_code=40000,
        )
    if node.kind == "TABLE" and clause.get("RETENTION_MS") is not None:
        raise StatementError(
            "Invalid config variable in the WITH clause: RETENTION_MS. "
            "Non-windowed tables do not support retention."
        )
    if partitions is not None and partitions < 1:
        raise StatementError(f"Invalid number of partitions for topic '{name}': {partitions}")
    if existing is not None:
        return TopicInfo(
            name, partitions or existing.partitions, replicas or existing.replicas, existing.config
        )
    config = [("cleanup.policy", _policy(node))]
    if clause.get("RETENTION_MS") is not None:
        config.append(("retention.ms", str(clause.get("RETENTION_MS"))))
    return TopicInfo(name, partitions, max(replicas or 1, 1), tuple(config))


def _check_replace(node: N.CreateSource, existing: DataSource | None) -> None:
    if node.or_replace and (node.source or (existing is not None and existing.read_only)):
        kind = node.kind.lower()
        raise StatementError(
            f"Cannot add {kind} '{node.name}': CREATE OR REPLACE is not supported on source {kind}s."
        )


def _wrapping(ctx: Context, prepared: Prepared, fmt: Format, schema: Schema) -> Format:
    """The format with WRAP_SINGLE_VALUE checked, or with the setting's default where that applies."""
    values = sum(c.header is None for c in schema.value)
    if fmt.wrap is not None:
        return formats.with_wrapping(fmt, fmt.wrap, values)
    default = ctx.settings(prepared)["ksql.persistence.wrap.single.values"]
    applies = default is not None and values == 1 and default in formats.WRAPPING[fmt.name]
    return replace(fmt, wrap=default) if applies else fmt


def _materialize(ctx: Context, source: DataSource, prepared: Prepared) -> PersistentQuery:
    """The query that keeps a source table's rows for pull queries."""
    query_id = f"CST_{source.name}_{ctx.query_number}"
    step = SourceStep(
        name="KsqlTopic",
        schema=source.schema,
        source=source,
        alias=source.name,
        origins=tuple(c.name for c in source.schema.columns),
        materialized=True,
    )
    plan = QueryPlan(
        query_id=query_id,
        kind="TABLE",
        root=step,
        schema=source.schema,
        window=source.window,
        sources=(source.name,),
        emit="CHANGES",
        columns=tuple(c.name for c in source.schema.columns),
        statement=prepared.text,
    )
    return PersistentQuery(query_id, prepared.text, plan, prepared.overrides)
