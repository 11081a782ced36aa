"""Do what the stages say, in order, through the client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ksqlkit.client.protocol import Client
from ksqlkit.errors import SqlError, UserError
from ksqlkit.plan.stages import Action, Stage
from ksqlkit.project.loader import Loader


def check(stages: Iterable[Stage], *, allow_replace: bool) -> None:
    """Raise UserError if the stages hold what must not happen without the user's word. Touches nothing."""
    stages = list(stages)
    rejected = [s for s in stages if s.action is Action.REJECTED]
    if rejected:
        raise UserError(
            "\n".join(f"{s.model.name}: {s.reason}" for s in rejected), location=rejected[0].model.location
        )
    changed = [s for s in stages if s.action in (Action.REPLACE, Action.RECREATE)]
    if changed and not allow_replace:
        raise UserError(
            "\n".join(f"{s.model.name} would need: {s.action} ({s.reason})" for s in changed),
            location=changed[0].model.location,
            hint="Nothing was changed. Do it with --replace; `drop and create` deletes what the model's query wrote, "
            "and reads its sources again.",
        )


def apply(
    stages: Iterable[Stage],
    client: Client,
    loader: Loader,
    *,
    properties: Mapping[str, Any] | None = None,
    on_stage: Callable[[Stage], None] | None = None,
) -> int:
    """Run the stages; returns how many models changed.

    A refusal is raised placed in its template; what was done before it stays, and running again goes on
    from there.
    """
    stages = list(stages)
    dropped: set[str] = set()
    for stage in stages:
        if stage.action is Action.RECREATE:
            _drop(stage, client, dropped)
    done = 0
    for stage in stages:
        if stage.action is Action.UNCHANGED and stage.model.name not in dropped:
            continue
        if on_stage:
            on_stage(stage)
        try:
            client.execute(stage.sql, properties=properties)
        except SqlError as exc:
            raise loader.locate(stage.model, exc) from None
        done += 1
    return done


def _drop(stage: Stage, client: Client, dropped: set[str]) -> None:
    ended = {q["id"] for q in client.execute("LIST QUERIES;")[0]["queries"]}
    for query in stage.terminate:
        if query in ended:
            client.execute(f"TERMINATE {query};")
    for drop in stage.drop:
        if drop.name not in dropped:
            client.execute(drop.sql)
            dropped.add(drop.name)
