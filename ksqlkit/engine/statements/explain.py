"""Plans of statements that are not run: EXPLAIN statement."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.context import Context, Prepared
from ksqlkit.engine.plan.planner import plan_query
from ksqlkit.engine.plan.steps import QueryPlan
from ksqlkit.engine.statements import with_clause
from ksqlkit.engine.statements.create_as import (
    insert_query_id,
    new_query_id,
    plan_create_as,
    plan_insert,
    require_sources,
    sink_topic,
    sources_of,
)
from ksqlkit.errors import StatementError


def plan_statement(
    ctx: Context, prepared: Prepared, statement: N.Statement
) -> tuple[QueryPlan, str, Mapping[str, Any]]:
    """The plan, the text and the overrides of a statement that starts a query. Raises StatementError for others."""
    text = inner_text(prepared)
    inner = Prepared(statement, text, text, prepared.overrides)
    match statement:
        case N.CreateAsSelect():
            clause = with_clause.read(statement.properties, with_clause.CREATE_AS, topic_required=False)
            require_sources(ctx, statement.query)
            topic = sink_topic(ctx, inner, statement, clause)
            query_id = new_query_id(ctx, statement, ctx.catalog.get(statement.name))
            plan = plan_create_as(ctx, inner, query_id, clause, topic)
        case N.InsertInto():
            clause = with_clause.read(statement.properties, with_clause.INSERT, topic_required=False)
            require_sources(ctx, statement.query)
            plan = plan_insert(ctx, inner, insert_query_id(ctx, clause))
        case N.QueryStatement(query):
            require_sources(ctx, query)
            first = next(sources_of(query.source))
            plan = plan_query(
                query,
                catalog=ctx.catalog,
                functions=ctx.functions,
                query_id=transient_id(first.alias),
                statement=text,
                properties=ctx.settings(prepared),
            )
        case _:
            raise StatementError("The provided statement does not run a ksql query")
    return plan, text, prepared.overrides


def inner_text(prepared: Prepared) -> str:
    """The text after EXPLAIN."""
    parts = prepared.text.split(None, 1)
    return parts[1] if len(parts) > 1 else prepared.text


def transient_id(alias: str) -> str:
    """A fresh id of a query that goes to a client."""
    return f"transient_{alias}_{secrets.randbits(63)}"
