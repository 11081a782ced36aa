"""ksqlkit bridge: the scoring server's functions in a real ksqlDB."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ksqlkit.cli.functions import DEFAULT_URL, fetch_manifest
from ksqlkit.cli.options import (
    JsonOption,
    ProjectOption,
    ScoringOption,
    ServerOption,
    TargetOption,
    open_client,
    open_config,
)
from ksqlkit.cli.output import guarded, messages, print_json, print_table

bridge = typer.Typer(help="The AI functions inside a real ksqlDB server.", no_args_is_help=True)


@bridge.command()
@guarded
def build(
    out: Annotated[Path, typer.Option("--out", "-o", help="The jar to write.")] = Path("ksqlkit-bridge.jar"),
    scoring: ScoringOption = None,
    runtime: Annotated[
        Path | None,
        typer.Option("--runtime", help="The compiled runtime, instead of the one that came along."),
    ] = None,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """Write the jar that makes the scoring server's functions functions of ksqlDB. Needs no JDK.

    Put it into the server's ksql.extension.dir, set ksql.functions._global_.scoring.url there, and restart it.

    Example: ksqlkit bridge build --out ksqlkit-bridge.jar
    """
    from ksqlkit.bridge import build_jar
    from ksqlkit.bridge.runtime import runtime_jar

    entries = fetch_manifest(scoring or open_config(project).scoring_url or DEFAULT_URL)
    built = build_jar(entries, runtime or runtime_jar(), out)
    if json:
        print_json({"jar": str(out), "functions": built.functions, "left_out": built.left_out})
        return
    for name, why in built.left_out.items():
        messages.print(f"left out {name}: {why}", style="yellow", markup=False)
    messages.print(f"{out}: {len(built.functions)} functions", markup=False)


@bridge.command()
@guarded
def check(
    scoring: ScoringOption = None,
    target: TargetOption = None,
    server: ServerOption = None,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """Compare a server's functions with the scoring server's, and say what to do; exit code 1 where they differ.

    Example: ksqlkit bridge check --server http://127.0.0.1:8088
    """
    from dataclasses import asdict

    from ksqlkit.bridge import check as compare
    from ksqlkit.bridge.check import OK

    config = open_config(project)
    entries = fetch_manifest(scoring or config.scoring_url or DEFAULT_URL)
    client, _ = open_client(config, target, server)
    try:
        findings = compare(client, entries)
    finally:
        client.close()
    if json:
        print_json([asdict(f) for f in findings])
    else:
        print_table(
            None, ["function", "state", "", "do"], [[f.name, f.state, f.detail, f.advice] for f in findings]
        )
    if any(f.state != OK for f in findings):
        raise typer.Exit(1)


@bridge.command()
@guarded
def model(
    name: Annotated[str, typer.Argument(help="A model of the registry.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write, for model.file.")],
    version: Annotated[int | None, typer.Option("--version", help="By default the live one.")] = None,
    project: ProjectOption = None,
) -> None:
    """Write a model in the form that the bridge walks inside ksqlDB, with rows to verify it by.

    Example: ksqlkit bridge model fraud --out fraud.model
    """
    from ksqlkit.bridge.portable import write_portable
    from udf_server.models.store import ModelStore

    config = open_config(project)
    metadata = write_portable(ModelStore(config.models), name, version, out)
    messages.print(f"{out}: {metadata.name} version {metadata.version}", markup=False)
