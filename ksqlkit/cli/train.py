"""ksqlkit train: a model from a file of labelled rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ksqlkit.cli.options import JsonOption, ProjectOption, open_config
from ksqlkit.cli.output import guarded, messages, print_json, print_table
from ksqlkit.errors import DataError, Location


@guarded
def train(
    name: Annotated[str, typer.Argument(help="The model; FRAUD_SCORE uses the one named fraud.")],
    source: Annotated[
        Path, typer.Option("--from", help="A .csv, .jsonl or .parquet file of rows in time order.")
    ],
    label: Annotated[str, typer.Option("--label", help="The column with the truth, 0 or 1.")],
    features: Annotated[
        str | None, typer.Option("--features", help="Columns to learn from, in order; A,B,C.")
    ] = None,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """Train an XGBoost model on labelled rows, in time order, and make it the live version.

    Without --features, card transactions (CUSTOMER_ID, TERMINAL_ID, AMOUNT, TX_TIME) get the windowed counts and sums
    that the reference project computes in SQL.

    Example: ksqlkit train fraud --from transactions.csv --label IS_FRAUD
    """
    from ksqlkit.loading.readers import infer, read_rows
    from udf_server.features import FRAUD_FEATURES, windowed_features
    from udf_server.models.store import ModelStore
    from udf_server.training import train_fraud

    config = open_config(project)
    columns, found = read_rows(source)
    rows = [{k.upper(): infer(v) if isinstance(v, str) else v for k, v in row.items()} for row in found]
    if not rows:
        raise DataError("The file has no rows", location=Location(str(source)))
    have = {c.upper() for c in columns or rows[0]}
    names = tuple(f.strip().upper() for f in features.split(",")) if features else FRAUD_FEATURES
    raw = {"CUSTOMER_ID", "TERMINAL_ID", "AMOUNT", "TX_TIME"}
    needed = {label.upper()} | (raw if not features and not set(names) <= have else set(names))
    if missing := sorted(needed - have):
        raise DataError(
            f"The file has no column {', '.join(missing)}",
            location=Location(str(source), 1),
            hint=f"It has {', '.join(sorted(have))}.",
        )
    data = windowed_features(rows) if needed >= raw else {n: [row.get(n) for row in rows] for n in names}
    labels = [int(row[label.upper()]) for row in rows]
    store = ModelStore(config.models)
    trained = train_fraud(data, labels, store, name=name, features=names, description=source.name)
    if json:
        print_json({"model": name, "version": trained.version, "metrics": trained.metrics})
        return
    print_table(
        f"{name} version {trained.version}", ["metric", "value"], [list(m) for m in trained.metrics.items()]
    )
    messages.print(f"live in {config.models}; measured on the last 15 % of the rows")
