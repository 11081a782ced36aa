"""SHOW and LIST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ksqlkit.dialect import nodes as N
from ksqlkit.engine import results as R
from ksqlkit.engine.context import COMMAND_TOPIC, Context, PersistentQuery, Prepared
from ksqlkit.engine.internal_topics import internal_topics
from ksqlkit.engine.statements.describe import describe_query, describe_source, query_info
from ksqlkit.errors import StatementError


def show(ctx: Context, prepared: Prepared) -> R.Result:
    """Answer SHOW ... or LIST .... Raises StatementError where a Connect cluster would be asked."""
    node = prepared.node
    assert isinstance(node, N.Show)
    return _HANDLERS[node.what](ctx, prepared, node.extended)


def no_connect(ctx: Context, prepared: Prepared, _: bool = False) -> R.Result:
    """What every statement about connectors gets."""
    url = ctx.properties["ksql.connect.url"]
    raise StatementError(
        f"Connect to {url} failed: no Kafka Connect cluster is configured.\n"
        "Caused by: Could not connect to the server. Please check the server details are correct and that the "
        "server is running.",
        statement=prepared.text,
        hint="the embedded engine runs no connectors; load data with INSERT, the HTTP API or produce()",
    )


def _sources(kind: str, ctx: Context) -> tuple[R.SourceInfo, ...]:
    return tuple(
        R.SourceInfo(s.kind, s.name, s.topic, s.key_format.name, s.value_format.name, s.window is not None)
        for s in sorted(ctx.catalog, key=lambda s: s.name)
        if s.kind == kind
    )


def _streams(ctx: Context, prepared: Prepared, extended: bool) -> R.Result:
    if extended:
        return _descriptions(ctx, prepared, "STREAM")
    return R.StreamsList(statement_text=prepared.text, streams=_sources("STREAM", ctx))


def _tables(ctx: Context, prepared: Prepared, extended: bool) -> R.Result:
    if extended:
        return _descriptions(ctx, prepared, "TABLE")
    return R.TablesList(statement_text=prepared.text, tables=_sources("TABLE", ctx))


def _descriptions(ctx: Context, prepared: Prepared, kind: str) -> R.Result:
    chosen = sorted((s for s in ctx.catalog if s.kind == kind), key=lambda s: s.name)
    return R.SourceDescriptionList(
        statement_text=prepared.text,
        source_descriptions=tuple(describe_source(ctx, s, extended=True) for s in chosen),
    )


def _topics(ctx: Context, prepared: Prepared, extended: bool) -> R.Result:
    node = prepared.node
    assert isinstance(node, N.Show)
    entries = {name: (info.replicas,) * info.partitions for name, info in ctx.topics.items()}
    hidden = ctx.properties["ksql.logging.processing.topic.name"]
    if node.what == "ALL TOPICS":
        service = ctx.properties["ksql.service.id"]
        entries[COMMAND_TOPIC.format(service=service)] = (1,)
        for query in ctx.queries.values():
            entries |= {name: (1,) * count for name, count in internal_topics(query.plan, service)}
    else:
        entries = {n: r for n, r in entries.items() if not n.startswith("_confluent-ksql") and n != hidden}
    if not extended:
        listed = tuple(R.TopicEntry(n, r) for n, r in sorted(entries.items()))
        return R.TopicsList(statement_text=prepared.text, topics=listed)
    detailed = []
    for name, replicas in sorted(entries.items()):
        groups = sum(_reads(ctx, q, name) for q in ctx.queries.values())
        detailed.append(R.TopicEntryExtended(name, replicas, groups * len(replicas), groups))
    return R.TopicsListExtended(statement_text=prepared.text, topics=tuple(detailed))


def _reads(ctx: Context, query: PersistentQuery, topic: str) -> bool:
    sources = (ctx.catalog.get(name) for name in query.plan.sources)
    return any(s is not None and s.topic == topic for s in sources)


def _queries(ctx: Context, prepared: Prepared, extended: bool) -> R.Result:
    if extended:
        described = tuple(describe_query(ctx, q) for q in ctx.queries.values())
        return R.QueryDescriptionList(statement_text=prepared.text, query_descriptions=described)
    listed = tuple(query_info(q) for q in ctx.queries.values()) + ctx.transient_queries()
    return R.Queries(statement_text=prepared.text, queries=listed)


def _functions(ctx: Context, prepared: Prepared, _: bool) -> R.Result:
    entries = tuple(R.FunctionEntry(f.name, f.type, f.category) for f in ctx.functions.list())
    return R.FunctionNames(statement_text=prepared.text, functions=entries)


def _properties(ctx: Context, prepared: Prepared, _: bool) -> R.Result:
    settings = ctx.settings(prepared)
    return R.PropertiesList(
        statement_text=prepared.text,
        properties=settings.entries(),
        overwritten_properties=settings.overwritten(),
    )


def _types(ctx: Context, prepared: Prepared, _: bool) -> R.Result:
    return R.TypesList(statement_text=prepared.text, types=dict(sorted(ctx.catalog.types.items())))


def _variables(ctx: Context, prepared: Prepared, _: bool) -> R.Result:
    listed = tuple(R.VariableEntry(n, v) for n, v in sorted(ctx.variables.items()))
    return R.VariablesList(statement_text=prepared.text, variables=listed)


_HANDLERS: Final[dict[str, Callable[[Context, Prepared, bool], R.Result]]] = {
    "STREAMS": _streams,
    "TABLES": _tables,
    "TOPICS": _topics,
    "ALL TOPICS": _topics,
    "QUERIES": _queries,
    "FUNCTIONS": _functions,
    "PROPERTIES": _properties,
    "TYPES": _types,
    "VARIABLES": _variables,
    "CONNECTORS": no_connect,
    "SOURCE CONNECTORS": no_connect,
    "SINK CONNECTORS": no_connect,
    "CONNECTOR PLUGINS": no_connect,
}
