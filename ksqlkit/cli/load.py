"""ksqlkit load: a data file into a topic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ksqlkit.cli.options import (
    JsonOption,
    ProjectOption,
    ServerOption,
    TargetOption,
    open_client,
    open_config,
)
from ksqlkit.cli.output import guarded, print_json, progress, tell
from ksqlkit.errors import KsqlkitError, UserError


@guarded
def load(
    file: Annotated[
        Path, typer.Argument(help="A .csv, .jsonl or .parquet file; .csv.gz, .csv.zip and .jsonl.gz too.")
    ],
    topic: Annotated[str, typer.Option("--topic", help="The topic to write to.")],
    key: Annotated[str | None, typer.Option("--key", help="Column that is the record's key.")] = None,
    timestamp: Annotated[
        str | None, typer.Option("--timestamp", help="Column with the event time: milliseconds or ISO 8601.")
    ] = None,
    project: ProjectOption = None,
    target: TargetOption = None,
    server: ServerOption = None,
    json: JsonOption = False,
) -> None:
    """Load a CSV, JSON lines or Parquet file into a topic.

    If a stream or table is declared over the topic, its formats and types are used, and a column that it needs and
    the file lacks is an error. Otherwise each row becomes a JSON object.

    Example: ksqlkit load orders.csv --topic orders --key order_id --timestamp ordered_at
    """
    from ksqlkit.loading.load import load_file

    if not topic.strip():
        raise UserError(
            "--topic is empty", hint="Name the topic of a stream or table, as SHOW STREAMS; lists them."
        )
    client, _ = open_client(None if server else open_config(project), target, server)
    sent = 0

    def show(done: int) -> None:
        nonlocal sent
        sent = done
        bar.update(task, completed=done)

    try:
        with progress() as bar:
            task = bar.add_task(f"{file.name} -> {topic}", total=None)
            rows = load_file(
                client,
                file,
                topic,
                key=key,
                timestamp=timestamp,
                on_batch=show,
            )
    except (KsqlkitError, KeyboardInterrupt):
        if sent:
            tell(f"{sent:,} rows of {file.name} were confirmed before that, in the file's order")
        raise
    finally:
        client.close()
    if json:
        print_json({"file": str(file), "topic": topic, "rows": rows})
    else:
        tell(f"{rows:,} rows in topic {topic}")
