"""ksqlkit render: the project as plain ksqlDB SQL."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ksqlkit.cli.options import JsonOption, ProjectOption, VarOption, open_config, open_loader, tell_reference
from ksqlkit.cli.output import guarded, print_json, tell


@guarded
def render(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write one file per model, and all.sql.")
    ] = None,
    project: ProjectOption = None,
    var: VarOption = None,
    json: JsonOption = False,
) -> None:
    """Render the project's templates to plain ksqlDB SQL, in an order in which it can run.

    The ksqlDB CLI takes the result with RUN SCRIPT.

    Example: ksqlkit render --out build/sql
    """
    config = open_config(project)
    tell_reference(config)
    loaded = open_loader(config, var).load()
    if json:
        fields = ("name", "kind", "sql", "parents", "fingerprint")
        print_json([{f: getattr(m, f) for f in fields} for m in loaded.models])
        return
    script = "\n\n".join(m.sql for m in loaded.models) + "\n"
    if out is None:
        typer.echo(script, nl=False)
        return
    out.mkdir(parents=True, exist_ok=True)
    width = len(str(len(loaded.models)))
    for i, model in enumerate(loaded.models, 1):
        stem = "".join(c if c.isalnum() or c in "_-" else "_" for c in model.name.lower())
        (out / f"{i:0{width}}_{stem}.sql").write_text(model.sql + "\n", "utf-8")
    (out / "all.sql").write_text(script, "utf-8")
    tell(f"{len(loaded.models)} models in {out}/, and {out}/all.sql for RUN SCRIPT")
