"""ksqlkit train: a model from a file or a query."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ksqlkit.cli.options import (
    JsonOption,
    ProjectOption,
    ServerOption,
    TargetOption,
    open_config,
)
from ksqlkit.cli.output import guarded, print_json, print_table, tell
from ksqlkit.cli.train_source import planned, read_source, split_names
from ksqlkit.errors import UserError


@guarded
def train(
    name: Annotated[
        str, typer.Argument(help="The model; FRAUD_SCORE asks the one named fraud, PREDICT any.")
    ],
    source: Annotated[
        str,
        typer.Option(
            "--from", help="A .csv, .jsonl or .parquet file of rows in time order, or a query: 'SELECT ...;'"
        ),
    ],
    label: Annotated[str | None, typer.Option("--label", help="The column with the truth.")] = None,
    features: Annotated[
        str | None,
        typer.Option("--features", help="Columns to learn from, in order; A,B,C. By default all others."),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option("--drop", help="Columns to leave out; A,B,C. May be repeated."),
    ] = None,
    algorithm: Annotated[
        str, typer.Option("--algorithm", help="xgboost, linear, tree, forest or blend.")
    ] = "xgboost",
    task: Annotated[
        str | None,
        typer.Option("--task", help="binary, classes or regression; by default told from the labels."),
    ] = None,
    formula: Annotated[
        list[str] | None,
        typer.Option("--formula", help="A feature made of two: A*B, A-B or A/B. May be repeated."),
    ] = None,
    text: Annotated[str | None, typer.Option("--text", help="The column of texts, for CLASSIFY.")] = None,
    series: Annotated[
        str | None,
        typer.Option("--series", help="The column that names each run to failure, for REMAINING_LIFE."),
    ] = None,
    user: Annotated[str | None, typer.Option("--user", help="The column of users, for RECOMMEND.")] = None,
    item: Annotated[str | None, typer.Option("--item", help="The column of what users had.")] = None,
    weight: Annotated[str | None, typer.Option("--weight", help="The column of how much.")] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Learn what good rows look like, for VALIDATE.")
    ] = False,
    every: Annotated[
        float | None,
        typer.Option(
            "--every", help="Days until `ksqlkit retrain --due` trains it again, from the same source."
        ),
    ] = None,
    project: ProjectOption = None,
    target: TargetOption = None,
    server: ServerOption = None,
    json: JsonOption = False,
) -> None:
    """Train a model and make it the live version.

    Rows are taken in time order: metrics are of the last ones, which are not learned. Card transactions (CUSTOMER_ID,
    TERMINAL_ID, AMOUNT, TX_TIME) without --features get the windowed counts and sums of the reference project.

    It warns of columns that give the label away, say nothing, or name rows or times; of classes and rows that are too
    few; and of rows that come again. Nothing of that stops it.

    Example: ksqlkit train fraud --from transactions.csv --label IS_FRAUD

    Also: ksqlkit train churn --from "SELECT * FROM CUSTOMERS;" --label LEFT --drop ID,REFUNDED_AT --algorithm forest

    Also: ksqlkit train recommend --from visits.csv --user CUSTOMER --item PRODUCT
    """
    import time
    from dataclasses import replace

    from udf_server.advice import advise
    from udf_server.advice import messages as as_json
    from udf_server.models.store import ModelStore, check_name
    from udf_server.retraining import write_plan
    from udf_server.tabular import ALGORITHMS, TASKS, Recipe
    from udf_server.train_rows import Task, train_rows

    for asked, known in ((algorithm, ALGORITHMS), (task, TASKS)):
        if asked is not None and asked not in known:
            raise UserError(f"There is no {asked}", hint=f"Known: {', '.join(known)}.")
    check_name(name)
    columns = {"label": label, "text": text, "series": series, "user": user, "item": item, "weight": weight}
    given: dict[str, Any] = {part: column.upper() for part, column in columns.items() if column}
    plan = planned(None, name, source, given, None, every) if every is not None else None
    config = open_config(project)
    rows = read_source(source, config, target, server)
    wanted = Task(
        **given,
        features=split_names(features),
        drop=tuple(column for names in drop or () for column in split_names(names)),
        profile=profile,
        recipe=Recipe(algorithm, task, tuple(formula or ())),
    )
    warnings = advise(rows, wanted)
    for warning in warnings:
        tell(f"warning: {warning}")
    store = ModelStore(config.models)
    trained = train_rows(rows, wanted, store, name, source[:200])
    if plan is not None:
        write_plan(store, name, replace(plan, last=time.time()))
    if json:
        found = {"model": name, "version": trained.version, "metrics": trained.metrics}
        print_json(found | {"warnings": as_json(warnings)})
        return
    print_table(
        f"{name} version {trained.version}", ["metric", "value"], [list(m) for m in trained.metrics.items()]
    )
    tell(f"live in {config.models}")
