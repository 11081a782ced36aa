"""ksqlkit apply: make a ksqlDB run the project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ksqlkit.cli.options import (
    JsonOption,
    ProjectOption,
    ScoringOption,
    ServerOption,
    TargetOption,
    VarOption,
    open_client,
    open_config,
    open_loader,
    tell_reference,
)
from ksqlkit.cli.output import guarded, print_json, print_table, tell

if TYPE_CHECKING:
    from ksqlkit.plan.stages import Stage

# A project is applied to read what is there already, unless its target says otherwise.
DEFAULT_PROPERTIES = {"auto.offset.reset": "earliest"}


@guarded
def apply(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Also do what changed models need; may lose their state.")
    ] = False,
    project: ProjectOption = None,
    target: TargetOption = None,
    server: ServerOption = None,
    scoring: ScoringOption = None,
    var: VarOption = None,
    json: JsonOption = False,
) -> None:
    """Create the project's streams, tables and queries on a ksqlDB, in dependency order.

    A second run changes nothing. For a model that changed it says what that would need, and does it with --replace.
    What the server has and the project has not is told, and left alone.

    Example: ksqlkit apply --dry-run
    """
    from ksqlkit.plan.apply import apply as run
    from ksqlkit.plan.apply import check
    from ksqlkit.plan.run import make_plan
    from ksqlkit.plan.stages import Action

    config = open_config(project)
    tell_reference(config)
    loader = open_loader(config, var)
    client, chosen = open_client(config, target, server)
    try:
        stages, notes = make_plan(loader, client, scoring or config.scoring_url)
        changes = [s for s in stages if s.action is not Action.UNCHANGED]
        if json:
            print_json([_entry(s) for s in stages])
        elif dry_run and changes:
            rows = [[s.model.name, s.action, s.reason] for s in changes]
            print_table("Plan", ["model", "action", "reason"], rows)
        check(stages, allow_replace=replace or dry_run)
        if not dry_run:
            run(stages, client, loader, properties=chosen.properties or DEFAULT_PROPERTIES, on_stage=_tell)
        for note in notes:
            tell(f"note: {note}")
        if not json:
            verb = "would change" if dry_run else "changed"
            tell(f"{len(changes)} of {len(stages)} models {verb}")
    finally:
        client.close()


def _tell(stage: Stage) -> None:
    tell(f"{stage.action}: {stage.model.name}")


def _entry(stage: Stage) -> dict[str, Any]:
    return {
        "model": stage.model.name,
        "action": stage.action,
        "reason": stage.reason,
        "terminate": stage.terminate,
        "drop": [drop.name for drop in stage.drop],
    }
