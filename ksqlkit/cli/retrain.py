"""ksqlkit retrain: challengers for the models that serve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ksqlkit.cli.options import JsonOption, ProjectOption, ServerOption, TargetOption, open_config
from ksqlkit.cli.output import guarded, messages, print_json, print_table
from ksqlkit.cli.train import read_source
from ksqlkit.errors import UserError


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
    every: Annotated[float, typer.Option("--every", help="Days until it is due again.")] = 7.0,
    project: ProjectOption = None,
    target: TargetOption = None,
    server: ServerOption = None,
    json: JsonOption = False,
) -> None:
    """Train a challenger and make it live only if it is better than the live version on the same rows.

    The rows are taken in time order. From 60 % of them on, a challenger is trained on all that came before each of four
    origins and both are scored on what follows; a paired test decides at the 5 % level. The version before stays, for
    `ksqlkit models rollback`.

    Example: ksqlkit retrain --due

    Also: ksqlkit retrain subject --from tickets.csv --text BODY --label SUBJECT --every 30
    """
    import time
    from dataclasses import asdict, replace

    from udf_server.models.store import ModelStore
    from udf_server.retraining import Plan, challenge, due_models, read_plan, write_plan

    if (name is None) != due:
        raise UserError("Name a model, or say --due", hint="ksqlkit retrain --due")
    config = open_config(project)
    store = ModelStore(config.models)
    if name is not None and source is not None:
        if label is None or name not in store.names():
            raise UserError(
                f"--from needs --label, and {name} to be a model",
                hint=f"Train it first: ksqlkit train {name}",
            )
        wanted = tuple(f.strip().upper() for f in features.split(",")) if features else ()
        # A plan is carried out from wherever the scheduler runs.
        kept = str(Path(source).resolve()) if Path(source[:255]).is_file() else source
        column = text.upper() if text else None
        write_plan(store, name, Plan(kept, label.upper(), wanted, algorithm, every, text=column))
    names = [name] if name is not None else due_models(store)
    trials = []
    for each in names:
        plan = read_plan(store, each)
        if plan is None:
            raise UserError(f"{each} has no plan to be trained again", hint="Give --from and --label once.")
        trials.append(challenge(store, each, plan, read_source(plan.source, config, target, server)))
        write_plan(store, each, replace(plan, last=time.time()))
    if json:
        print_json([asdict(trial) for trial in trials])
        return
    if not trials:
        messages.print("no model is due")
        return
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
