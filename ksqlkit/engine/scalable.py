"""Which push queries a real ksqlDB runs as scalable ones. Ours give the same rows either way; their ids tell."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis import trees
from ksqlkit.engine.context import Context
from ksqlkit.engine.statements.create_as import sources_of

ENABLED: Final = "ksql.query.push.v2.enabled"
RESET: Final = "auto.offset.reset"
_NOT_SHOWN: Final = ("ROWPARTITION", "ROWOFFSET")


def scalable_id(ctx: Context, query: N.Query, overrides: Mapping[str, Any]) -> str | None:
    """A fresh id where the query is a scalable one: from the latest on, over what one persistent query writes."""
    if not (overrides[ENABLED] is True if ENABLED in overrides else ctx.properties[ENABLED]):
        return None
    if isinstance(query.source, N.Join) or query.emit != "CHANGES":
        return None
    if query.group_by or query.window or query.having or query.partition_by:
        return None
    if ctx.properties.with_overrides(overrides)[RESET] != "latest":
        return None
    (source,) = sources_of(query.source)
    if sum(source.name in q.sinks for q in ctx.queries.values()) != 1:
        return None
    shown = [item.expression for item in query.select if isinstance(item, N.SelectColumn)]
    exprs = [*shown, *([query.where] if query.where else [])]
    if any(column.name in _NOT_SHOWN for column in trees.columns_of(*exprs)):
        return None
    return f"SCALABLE_PUSH_QUERY_{uuid.uuid4()}"
