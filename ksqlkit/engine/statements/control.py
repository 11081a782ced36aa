"""TERMINATE, PAUSE and RESUME; SET, UNSET, DEFINE, UNDEFINE and ALTER SYSTEM."""

from __future__ import annotations

from typing import Final, Literal

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.context import Context, Prepared, QueryState
from ksqlkit.engine.properties import coerce
from ksqlkit.engine.results import Result, TerminateQuery
from ksqlkit.errors import StatementError

_DONE: Final = {"TERMINATE": "terminated", "PAUSE": "paused", "RESUME": "resumed"}
_STATES: Final[dict[Literal["PAUSE", "RESUME"], QueryState]] = {"PAUSE": "PAUSED", "RESUME": "RUNNING"}


def control_query(ctx: Context, prepared: Prepared) -> Result:
    """End, pause or resume one query or all. Raises StatementError for an unknown id."""
    node = prepared.node
    assert isinstance(node, N.ControlQuery)
    if node.query_id is None:
        chosen = list(ctx.queries)
    else:
        found = find_query(ctx, node.query_id)
        if found is None:
            if node.action == "TERMINATE" and ctx.stop_transient(node.query_id):
                return TerminateQuery(
                    statement_text=prepared.text, query_id=node.query_id, was_terminated=True
                )
            raise StatementError(f"Unknown queryId: {node.query_id}", hint="SHOW QUERIES lists them")
        chosen = [found]
    command_id = f"{node.action.lower()}/{node.query_id or 'ALL'}/execute"
    result = ctx.command(prepared, command_id, f"Query {_DONE[node.action]}.")
    for query_id in chosen:
        if node.action == "TERMINATE":
            ctx.stop_query(query_id)
        else:
            ctx.set_state(query_id, _STATES[node.action])
    return result


def find_query(ctx: Context, query_id: str) -> str | None:
    """The id of a persistent query as it is stored, whatever the case of letters given."""
    if query_id in ctx.queries:
        return query_id
    return next((q for q in ctx.queries if q.upper() == query_id.upper()), None)


def set_property(ctx: Context, prepared: Prepared) -> None:
    """SET: holds for the statements that follow in the same request. Raises StatementError for a bad name or value."""
    node = prepared.node
    assert isinstance(node, N.SetProperty)
    coerce(node.name, node.value)
    ctx.request_overrides[node.name] = node.value


def unset_property(ctx: Context, prepared: Prepared) -> None:
    """UNSET: back to the server's value for the statements that follow in the same request."""
    node = prepared.node
    assert isinstance(node, N.UnsetProperty)
    coerce(node.name, None)
    ctx.request_overrides.pop(node.name, None)


def alter_system(ctx: Context, prepared: Prepared) -> None:
    """Refused, as ksqlDB refuses it without its shared runtime."""
    del ctx, prepared
    raise StatementError(
        "Cannot alter system configs when KSQL_SHARED_RUNTIME_ENABLED is turned off.",
        hint="give the setting when the engine starts, or per request",
    )


def define(ctx: Context, prepared: Prepared) -> None:
    """DEFINE: a variable for the statements that follow in the same request."""
    node = prepared.node
    assert isinstance(node, N.Define)
    ctx.variables[node.name] = node.value


def undefine(ctx: Context, prepared: Prepared) -> None:
    """UNDEFINE: unknown names are let pass, as ksqlDB does."""
    node = prepared.node
    assert isinstance(node, N.Undefine)
    ctx.variables.pop(node.name, None)
