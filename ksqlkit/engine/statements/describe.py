"""DESCRIBE and EXPLAIN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ksqlkit.dialect import nodes as N
from ksqlkit.engine import results as R
from ksqlkit.engine.catalog import DataSource
from ksqlkit.engine.context import Context, PersistentQuery, Prepared
from ksqlkit.engine.plan.steps import QueryPlan
from ksqlkit.engine.schema import Schema
from ksqlkit.errors import StatementError

HOST = "127.0.0.1:8088"
GROUP = "_confluent-ksql-{service}query_{query}"
TRANSIENT_GROUP = "_confluent-ksql-{service}transient_{query}_{millis}"


def describe(ctx: Context, prepared: Prepared) -> R.Result:
    """DESCRIBE name [EXTENDED]. Raises StatementError for an unknown name."""
    node = prepared.node
    assert isinstance(node, N.DescribeSource)
    source = ctx.catalog.get(node.name)
    if source is None:
        hint = ctx.catalog.alternatives(node.name)
        raise StatementError(f"Could not find STREAM/TABLE '{node.name}' in the Metastore{hint}")
    described = describe_source(ctx, source, extended=node.extended)
    return R.SourceDescriptionEntity(statement_text=prepared.text, source_description=described)


def describe_all(ctx: Context, prepared: Prepared) -> R.Result:
    """DESCRIBE STREAMS|TABLES [EXTENDED]."""
    node = prepared.node
    assert isinstance(node, N.DescribeAll)
    chosen = sorted((s for s in ctx.catalog if s.kind == node.kind.removesuffix("S")), key=lambda s: s.name)
    described = tuple(describe_source(ctx, s, extended=node.extended) for s in chosen)
    return R.SourceDescriptionList(statement_text=prepared.text, source_descriptions=described)


def describe_function(ctx: Context, prepared: Prepared) -> R.Result:
    """DESCRIBE FUNCTION. Raises StatementError for an unknown name."""
    node = prepared.node
    assert isinstance(node, N.DescribeFunction)
    found = ctx.functions.describe(node.name)
    variations = tuple(
        R.FunctionSignature(
            arguments=tuple(
                R.FunctionArgument(a.name, a.type, a.description, a.variadic) for a in v.arguments
            ),
            return_type=v.returns,
            description=v.description,
            argument_types=tuple(a.type for a in v.arguments),
        )
        for v in found.variations
    )
    return R.FunctionDescription(
        statement_text=prepared.text,
        name=found.name,
        description=found.description,
        author=found.author,
        version=found.version,
        path=found.path,
        functions=variations,
        type=found.type,
    )


def fields(schema: Schema) -> tuple[R.FieldInfo, ...]:
    """A schema's columns with their roles."""
    keys = {id(c) for c in schema.key}  # a value column may have a key's name
    return tuple(
        R.FieldInfo(c.name, c.type, "KEY" if id(c) in keys else None)
        if c.header is None
        else R.FieldInfo(c.name, c.type, "HEADER", c.header or None)
        for c in schema.declared
    )


def query_info(query: PersistentQuery) -> R.RunningQueryInfo:
    """A persistent query as SHOW QUERIES lists it."""
    return R.RunningQueryInfo(
        query_string=query.text,
        sinks=query.sinks,
        sink_kafka_topics=(query.plan.sink.topic,) if query.plan.sink else (),
        id=query.id,
        status_count={query.state: 1},
        query_type="PERSISTENT",
        state=query.state,
    )


def describe_source(ctx: Context, source: DataSource, *, extended: bool) -> R.SourceDescription:
    """All about a source; with `extended`, also the positions of the queries that write it."""
    reading = [q for q in ctx.queries.values() if source.name in q.plan.sources]
    writing = [q for q in ctx.queries.values() if source.name in q.sinks]
    offsets = tuple(_offsets(ctx, q) for q in writing) if extended else ()
    return R.SourceDescription(
        name=source.name,
        window_type=source.window.type if source.window else None,
        read_queries=tuple(query_info(q) for q in reading),
        write_queries=tuple(query_info(q) for q in writing),
        fields=fields(source.schema),
        type=source.kind,
        timestamp=source.timestamp_column or "",
        statistics="",
        error_stats="",
        extended=extended,
        key_format=source.key_format.name,
        value_format=source.value_format.name,
        topic=source.topic,
        partitions=source.partitions,
        replication=source.replicas,
        statement=source.sql,
        query_offset_summaries=offsets,
        source_constraints=tuple(ctx.catalog.readers(source.name)),
        cluster_statistics=ctx.statistics([q.id for q in writing]) if extended else (),
    )


def _offsets(ctx: Context, query: PersistentQuery) -> R.QueryOffsetSummary:
    group = GROUP.format(service=ctx.properties["ksql.service.id"], query=query.id)
    topics: dict[str, list[R.ConsumerOffset]] = {}
    for (topic, partition), position in sorted(ctx.positions(query.id).items()):
        first, end = ctx.offsets(topic, partition)
        topics.setdefault(topic, []).append(R.ConsumerOffset(partition, first, end, position))
    return R.QueryOffsetSummary(group, tuple(R.TopicOffsets(t, tuple(o)) for t, o in topics.items()))


def _tasks(ctx: Context, query_id: str) -> tuple[Mapping[str, Any], ...]:
    """A running query's tasks, one a partition, and how far each has read: the last offset and the next one to read."""
    tasks: dict[int, list[Mapping[str, Any]]] = {}
    for (topic, partition), position in sorted(ctx.positions(query_id).items()):
        _, end = ctx.offsets(topic, partition)
        place = {"topic": topic, "partition": partition}
        offsets = {"endOffset": max(end - 1, 0), "committedOffset": position}
        tasks.setdefault(partition, []).append({"topicPartitionEntity": place, **offsets})
    return tuple(
        {"taskId": f"0_{partition}", "topicOffsets": offsets, "timeCurrentIdlingStarted": None}
        for partition, offsets in sorted(tasks.items())
    )


def explain(ctx: Context, prepared: Prepared) -> R.Result:
    """EXPLAIN a running query by id, or a statement that would start one. Raises StatementError."""
    from ksqlkit.engine.statements.control import find_query
    from ksqlkit.engine.statements.explain import plan_statement

    node = prepared.node
    assert isinstance(node, N.Explain)
    if node.statement is not None:
        plan, text, overrides = plan_statement(ctx, prepared, node.statement)
        described = _describe_plan(ctx, plan, text, overrides)
        return R.QueryDescriptionEntity(statement_text=prepared.text, query_description=described)
    assert node.query_id is not None
    found = find_query(ctx, node.query_id)
    if found is None:
        raise StatementError(
            f"Query with id:{node.query_id} does not exist, use SHOW QUERIES to view the full set of queries."
        )
    described = describe_query(ctx, ctx.queries[found])
    return R.QueryDescriptionEntity(statement_text=prepared.text, query_description=described)


def _sent_fields(plan: QueryPlan) -> tuple[R.FieldInfo, ...]:
    """The columns of a query for a client: the key it works with, then all that are sent."""
    types = {c.name: c.type for c in plan.schema.columns}
    sent = tuple(R.FieldInfo(name, types[name]) for name in plan.columns)
    return tuple(R.FieldInfo(c.name, c.type, "KEY") for c in plan.schema.key) + sent


def describe_query(ctx: Context, query: PersistentQuery) -> R.QueryDescription:
    """All about a persistent query."""
    return _describe_plan(ctx, query.plan, query.text, query.overrides, state=query.state)


def _describe_plan(
    ctx: Context, plan: QueryPlan, text: str, overrides: Mapping[str, Any], *, state: str | None = None
) -> R.QueryDescription:
    from ksqlkit.engine.plan.describe import describe_plan, format_topology

    persistent = plan.sink is not None or state is not None
    service = ctx.properties["ksql.service.id"]
    if persistent:
        group, columns = GROUP.format(service=service, query=plan.query_id), fields(plan.schema)
    else:
        now = ctx.clock.now()
        group = TRANSIENT_GROUP.format(service=service, query=plan.query_id, millis=now)
        columns = _sent_fields(plan)
    return R.QueryDescription(
        id=plan.query_id,
        statement_text=text,
        window_type=plan.window.type if plan.window and persistent else None,
        fields=columns,
        sources=plan.sources,
        sinks=(plan.sink.name,) if plan.sink else (),
        topology=format_topology(plan),
        execution_plan=describe_plan(plan),
        overridden_properties=dict(overrides),
        ksql_host_query_status={HOST: state} if state else {},
        query_type="PERSISTENT" if persistent else "PUSH",
        query_errors=ctx.query_errors(plan.query_id),
        tasks_metadata=_tasks(ctx, plan.query_id) if state is not None else (),
        consumer_group_id=group,
        state=state,
    )
