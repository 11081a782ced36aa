"""ksqlkit sql: statements one-shot or in a shell."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ksqlkit.cli.options import ProjectOption, ServerOption, TargetOption, open_client, open_config
from ksqlkit.cli.output import guarded


@guarded
def sql(
    execute: Annotated[list[str] | None, typer.Option("--execute", "-e", help="Run this and end.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Run the statements of a file and end.")
    ] = None,
    project: ProjectOption = None,
    target: TargetOption = None,
    server: ServerOption = None,
    json: Annotated[bool, typer.Option("--json", help="Write JSON, one row or answer a line.")] = False,
) -> None:
    """Run SQL against a ksqlDB: one-shot with -e or -f or from standard input, else in a shell.

    Example: ksqlkit sql -e "SELECT * FROM DEPARTURES_FORECAST WHERE ORIGIN = 'JFK' LIMIT 5;"
    """
    from ksqlkit.cli.session import Session
    from ksqlkit.cli.shell import Shell
    from ksqlkit.files import decode

    client, chosen = open_client(None if server else open_config(project), target, server)
    session = Session(client, dict(chosen.properties), json=json)
    try:
        for text in execute or []:
            session.run(text if not text.strip() or text.rstrip().endswith(";") else text + ";")
        if file is not None:
            session.run_file(file)
        if not execute and file is None:
            if sys.stdin.isatty():
                Shell(session, chosen.url or "the embedded engine").run()
            else:
                session.run(decode(sys.stdin.buffer.read(), "standard input"))
    finally:
        client.close()
