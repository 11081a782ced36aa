"""CREATE ... AS SELECT and INSERT INTO ... SELECT: statements that start a persistent query."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis.qualify import qualify_query
from ksqlkit.engine.catalog import DataSource
from ksqlkit.engine.context import Context, PersistentQuery, Prepared, retention
from ksqlkit.engine.log.protocol import TopicInfo
from ksqlkit.engine.plan.planner import plan_query
from ksqlkit.engine.plan.relation import SinkRequest
from ksqlkit.engine.plan.steps import QueryPlan
from ksqlkit.engine.results import Result
from ksqlkit.engine.statements import with_clause
from ksqlkit.engine.statements.create import already_exists
from ksqlkit.engine.statements.echo import create_as_text, name_text
from ksqlkit.engine.statements.inference import check_sink_schema, register_given
from ksqlkit.engine.statements.upgrade import check_query_upgrade, check_upgrade
from ksqlkit.engine.statements.with_clause import PREPARE, WithClause
from ksqlkit.errors import StatementError

_OWN_PREFIXES = ("INSERTQUERY_", "CTAS_", "CSAS_", "CST_")
_SCHEMA_PREFIX = "Could not determine output schema for query due to error: "


def create_as_select(ctx: Context, prepared: Prepared) -> Result:
    """Create a stream or table from a query and start the query. Raises StatementError."""
    node = prepared.node
    assert isinstance(node, N.CreateAsSelect)
    if node.query.limit is not None:
        raise StatementError(f"{PREPARE}CREATE {node.kind} AS SELECT statements don't support LIMIT clause.")
    clause = with_clause.read(node.properties, with_clause.CREATE_AS, topic_required=False)
    existing = ctx.catalog.get(node.name)
    if existing is not None and node.if_not_exists:
        return already_exists(prepared, node.kind, existing)
    require_sources(ctx, node.query)
    topic, query_id = sink_topic(ctx, prepared, node, clause), new_query_id(ctx, node, existing)
    defaults = {
        "CLEANUP_POLICY": dict(topic.config)["cleanup.policy"],
        "KAFKA_TOPIC": topic.name,
        "PARTITIONS": topic.partitions,
        "REPLICAS": topic.replicas,
        "RETENTION_MS": clause.get("RETENTION_MS") or retention(_leftmost_topic(ctx, node)),
    }
    query, _ = qualify_query(node.query, ctx.catalog)
    prepared.text = create_as_text(node, query, clause, defaults)
    plan = plan_create_as(ctx, prepared, query_id, clause, topic)
    assert plan.sink is not None
    sides = (
        (True, plan.sink.key_format, plan.schema.key),
        (False, plan.sink.value_format, plan.schema.value),
    )
    for is_key, fmt, columns in sides:
        check_sink_schema([(c.name, c.type) for c in columns], clause, fmt, ctx.schemas, is_key=is_key)
    if existing is not None and not node.or_replace:
        kind, other = node.kind.lower(), existing.kind.lower()
        raise StatementError(
            f"{_SCHEMA_PREFIX}Cannot add {kind} '{node.name}': A {other} with the same name already exists"
        )
    source = DataSource(
        name=node.name,
        kind=node.kind,
        schema=plan.schema,
        topic=topic.name,
        key_format=plan.sink.key_format,
        value_format=plan.sink.value_format,
        partitions=topic.partitions,
        replicas=topic.replicas,
        timestamp_column=plan.sink.timestamp_column,
        timestamp_format=plan.sink.timestamp_format,
        window=plan.window,
        sql=prepared.text,
        query_id=query_id,
    )
    if existing is not None:
        if existing.read_only:
            raise StatementError(
                f"Cannot add {node.kind.lower()} '{node.name}': CREATE OR REPLACE is not supported on source "
                f"{node.kind.lower()}s."
            )
        check_upgrade(existing, source)
        if query_id in ctx.queries:
            check_query_upgrade(ctx.queries[query_id].plan, plan)
    for is_key, fmt, _ in sides:
        register_given(topic.name, fmt, ctx.schemas, is_key=is_key)
    fresh = ctx.topic(topic.name) is None
    ctx.create_topic(topic)
    try:
        ctx.start_query(PersistentQuery(query_id, prepared.text, plan, prepared.overrides))
    except Exception:
        if fresh:
            ctx.delete_topic(topic.name)
        raise
    ctx.catalog.put(source, frozenset(plan.sources))
    command_id = f"{node.kind.lower()}/{name_text(node.name)}/create"
    return ctx.command(prepared, command_id, f"Created query with ID {query_id}", query_id)


def insert_into(ctx: Context, prepared: Prepared) -> Result:
    """Start a query that writes into an existing stream. Raises StatementError."""
    node = prepared.node
    assert isinstance(node, N.InsertInto)
    clause = with_clause.read(node.properties, with_clause.INSERT, topic_required=False)
    require_sources(ctx, node.query)
    plan = plan_insert(ctx, prepared, insert_query_id(ctx, clause))
    ctx.start_query(PersistentQuery(plan.query_id, prepared.text, plan, prepared.overrides, insert=True))
    target = ctx.catalog.sources[node.target]
    command_id = f"{target.kind.lower()}/{name_text(node.target)}/create"
    return ctx.command(prepared, command_id, f"Created query with ID {plan.query_id}", plan.query_id)


def plan_create_as(
    ctx: Context, prepared: Prepared, query_id: str, clause: WithClause, topic: TopicInfo
) -> QueryPlan:
    """Plan CREATE ... AS SELECT; errors carry ksqlDB's prefix for a query whose result cannot be worked out."""
    node = prepared.node
    assert isinstance(node, N.CreateAsSelect)
    values = dict(clause.values)
    values |= {"KAFKA_TOPIC": topic.name, "PARTITIONS": topic.partitions, "REPLICAS": topic.replicas}
    try:
        return plan_query(
            node.query,
            catalog=ctx.catalog,
            functions=ctx.functions,
            query_id=query_id,
            sink=SinkRequest(node.kind, node.name, values),
            statement=prepared.text,
            properties=ctx.settings(prepared),
        )
    except StatementError as error:
        if error.error_code == 40001 and not error.message.startswith("Exception while preparing"):
            error.message = _SCHEMA_PREFIX + error.message
            error.args = (error.message,)
        error.statement = prepared.text  # for a query alone it is the part that is wrong
        raise


def plan_insert(ctx: Context, prepared: Prepared, query_id: str) -> QueryPlan:
    """Plan INSERT INTO ... SELECT after checking its target."""
    node = prepared.node
    assert isinstance(node, N.InsertInto)
    target = ctx.catalog.get(node.target)
    if target is None:
        raise StatementError(
            f"Exception while preparing statement: {_target_place(prepared)}Source `{node.target}` does not "
            f"exist.{ctx.catalog.alternatives(node.target)}"
        )
    if target.kind != "STREAM":
        raise StatementError(
            "Exception while preparing statement: INSERT INTO can only be used to insert into a stream. "
            f"{node.target} is a table."
        )
    if target.read_only:
        raise StatementError(f"Cannot insert into read-only stream: {node.target}")
    return plan_query(
        node.query,
        catalog=ctx.catalog,
        functions=ctx.functions,
        query_id=query_id,
        sink=SinkRequest(target.kind, target.name, {}, insert_into=target),
        statement=prepared.text,
        properties=ctx.settings(prepared),
    )


def insert_query_id(ctx: Context, clause: WithClause) -> str:
    """The id of an INSERT INTO query: as given, or numbered. Raises StatementError when it is taken."""
    given = clause.get("QUERY_ID")
    query_id = given.upper() if given else f"INSERTQUERY_{ctx.query_number}"
    if given and query_id.startswith(_OWN_PREFIXES):
        raise StatementError(
            f"Query IDs must not start with a reserved query ID prefix ({', '.join(_OWN_PREFIXES)}). Got '{query_id}'."
        )
    if not re.fullmatch("[A-Za-z0-9_]+", query_id):
        raise StatementError(f"Query IDs may contain only alphanumeric characters and '_'. Got: '{query_id}'")
    if query_id in ctx.queries:
        raise StatementError(f"Query ID '{query_id}' already exists.")
    return query_id


def sources_of(relation: N.Source | N.Join) -> Iterator[N.Source]:
    """The sources of a FROM clause, left first."""
    if isinstance(relation, N.Join):
        yield from sources_of(relation.left)
        yield relation.right
    else:
        yield relation


def require_sources(ctx: Context, query: N.Query) -> None:
    """Raise StatementError for the first source in FROM that does not exist."""
    for source in sources_of(query.source):
        if ctx.catalog.get(source.name) is None:
            raise StatementError(
                f"Exception while preparing statement: {source.name} does not exist."
                f"{ctx.catalog.alternatives(source.name)}"
            )


def _target_place(prepared: Prepared) -> str:
    node = prepared.node
    if node.span is None:
        return ""
    found = re.match(r"\s*INSERT\s+INTO\s+", prepared.text, re.IGNORECASE)
    column = node.span.column + (found.end() if found else 0)
    return f"Line: {node.span.line}, Col: {column}: "


def new_query_id(ctx: Context, node: N.CreateAsSelect, existing: DataSource | None) -> str:
    """A new id, or that of the query being replaced. Raises StatementError where several write into the sink."""
    writing = [q.id for q in ctx.queries.values() if node.name in q.sinks]
    if node.or_replace and len(writing) > 1:
        raise StatementError(
            f"REPLACE for sink `{node.name}` is not supported because there are multiple queries writing into it: "
            f"[{', '.join(writing)}]"
        )
    if existing is not None and existing.query_id in ctx.queries:
        assert existing.query_id is not None
        return existing.query_id
    return f"C{node.kind[0]}AS_{node.name}_{ctx.query_number}"


def _leftmost_topic(ctx: Context, node: N.CreateAsSelect) -> TopicInfo:
    source = ctx.catalog.sources[next(sources_of(node.query.source)).name]
    return ctx.topic(source.topic) or TopicInfo(source.topic, source.partitions, source.replicas)


def sink_topic(ctx: Context, prepared: Prepared, node: N.CreateAsSelect, clause: WithClause) -> TopicInfo:
    """The sink's topic: as in WITH, else partitions, replicas and retention of the leftmost source's topic."""
    settings = ctx.settings(prepared)
    origin = _leftmost_topic(ctx, node)
    name = clause.get("KAFKA_TOPIC") or settings["ksql.output.topic.name.prefix"] + node.name
    given_partitions = clause.get("PARTITIONS")
    if given_partitions is not None and given_partitions < 1:
        raise StatementError(f"Invalid number of partitions for topic '{name}': {given_partitions}")
    partitions = given_partitions or settings["ksql.sink.partitions"] or origin.partitions
    replicas = clause.get("REPLICAS") or settings["ksql.sink.replicas"] or origin.replicas
    keep = clause.get("RETENTION_MS")
    policy = "delete"
    if node.kind == "TABLE":
        policy = "compact,delete" if node.query.window else "compact"
        if keep is not None and not node.query.window:
            raise StatementError(
                "Invalid config variable in the WITH clause: RETENTION_MS. "
                "Non-windowed tables do not support retention."
            )
    config = [("cleanup.policy", policy)]
    if policy != "compact":
        inherited = keep if keep is not None else dict(origin.config).get("retention.ms")
        window = node.query.window.retention if node.query.window else None
        given = [int(inherited)] if inherited is not None else []
        given += [window.millis] if window else []
        if given:
            config.append(("retention.ms", str(max(given))))
    return TopicInfo(name, partitions, replicas, tuple(config))
