"""ksqlkit retrain: challengers for the models that serve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ksqlkit.cli.options import JsonOption, ProjectOption, ServerOption, TargetOption, open_config
from ksqlkit.cli.output import guarded, print_json, print_table, tell
from ksqlkit.cli.train_source import planned, read_source, split_names
from ksqlkit.errors import KsqlkitError, UserError

if TYPE_CHECKING:
    from udf_server.retraining import Trial


@guarded
def retrain(
    name: Annotated[str | None, typer.Argument(help="The model.")] = None,
    due: Annotated[
        bool, typer.Option("--due", help="All models whose time has come or that have drifted.")
    ] = False,
    source: Annotated[
        str | None,
        typer.Option("--from", help="A file or a query of rows in time order; kept as the model's plan."),
    ] = None,
    label: Annotated[str | None, typer.Option("--label", help="The column with the truth.")] = None,
    features: Annotated[
        str | None, typer.Option("--features", help="A,B,C; by default those of the live version.")
    ] = None,
    algorithm: Annotated[
        str | None, typer.Option("--algorithm", help="As of `ksqlkit train`; by default the live version's.")
    ] = None,
    text: Annotated[str | None, typer.Option("--text", help="The column of a classifier of texts.")] = None,
    series: Annotated[
        str | None, typer.Option("--series", help="The column that names each run to failure.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", help="The column of users.")] = None,
    item: Annotated[str | None, typer.Option("--item", help="The column of what users had.")] = None,
    weight: Annotated[str | None, typer.Option("--weight", help="The column of how much.")] = None,
    every: Annotated[float | None, typer.Option("--every", help="Days until it is due again; 7.")] = None,
    project: ProjectOption = None,
    target: TargetOption = None,
    server: ServerOption = None,
    json: JsonOption = False,
) -> None:
    """Train a challenger and make it live only if it is better than the live version on the same rows.

    The rows are taken in time order. From 60 % of them on, a challenger is trained on all that came before each of four
    origins and both are scored on what follows; a paired test decides at the 5 % level. The version before stays, for
    `ksqlkit models rollback`.

    Where the rows come from is said once, here or by `ksqlkit train --every`. Models of tables are due when their time
    has come or while an alert of drift lasts, all others by time; imported ones never are.

    Example: ksqlkit retrain --due

    Also: ksqlkit retrain subject --from tickets.csv --text BODY --label SUBJECT --every 30

    Also: ksqlkit retrain recommend --from "SELECT * FROM VISITS;" --user CUSTOMER --item PRODUCT
    """
    import time
    from dataclasses import asdict, replace

    from udf_server.models.store import ModelStore
    from udf_server.retraining import challenge, due_models, read_plan, unplanned, write_plan

    if (name is None) != due:
        raise UserError("Name a model, or say --due", hint="ksqlkit retrain --due")
    columns = {"label": label, "text": text, "series": series, "user": user, "item": item, "weight": weight}
    given: dict[str, Any] = {part: column.upper() for part, column in columns.items() if column}
    if features:
        given["features"] = split_names(features)
    if due and (source or given or algorithm or every):
        raise UserError("--due takes models by the plans they have", hint="Name a model to change its plan.")
    config = open_config(project)
    store = ModelStore(config.models)
    if name is not None and name not in store.names():
        known = ", ".join(store.names()) or "none"
        raise UserError(
            f"There is no model {name}", hint=f"Train it first: ksqlkit train {name}. Known: {known}."
        )
    names = [name] if name is not None else due_models(store)
    trials, failed = [], []
    for each in names:
        try:
            plan = planned(read_plan(store, each), each, source, given, algorithm, every)
            trials.append(challenge(store, each, plan, read_source(plan.source, config, target, server)))
            write_plan(store, each, replace(plan, last=time.time()))
        except KsqlkitError as error:
            if name is not None:
                raise
            failed.append(each)  # the others are due all the same
            tell(f"error: {each}: {error.render()}")
    if json:
        print_json([asdict(trial) for trial in trials])
    elif trials:
        show(trials)
    if due and not names:
        tell("no model is due")
    never: dict[str, list[str]] = {}
    for each, why in unplanned(store).items() if due else ():
        never.setdefault(why, []).append(each)
    for why, models in never.items():
        tell(f"never due: {', '.join(models)}; each {why}")
    if failed:
        raise typer.Exit(1)


def show(trials: Sequence[Trial]) -> None:
    """What came of challenges, as a table."""
    rows = [
        [
            t.model,
            t.champion,
            t.champion_loss,
            t.challenger,
            t.challenger_loss,
            t.p,
            "yes" if t.promoted else "no",
        ]
        for t in trials
    ]
    print_table(None, ["model", "champion", "its loss", "challenger", "its loss", "p", "promoted"], rows)
