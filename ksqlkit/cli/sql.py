"""ksqlkit sql: statements one-shot or in a shell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ksqlkit.cli.options import (
    ProjectOption,
    ServerOption,
    TargetOption,
    open_client,
    open_config,
)
from ksqlkit.cli.output import fail, guarded, messages
from ksqlkit.errors import KsqlkitError, Location, UserError

if TYPE_CHECKING:
    from ksqlkit.cli.session import Session


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
    """Run SQL against a ksqlDB: one-shot with -e or -f, else in a shell.

    Example: ksqlkit sql -e "SELECT * FROM DEPARTURES_FORECAST WHERE ORIGIN = 'JFK' LIMIT 5;"
    """
    from ksqlkit.cli.session import Session

    client, chosen = open_client(None if server else open_config(project), target, server)
    session = Session(client, dict(chosen.properties), json=json)
    try:
        for text in execute or []:
            session.run(text if not text.strip() or text.rstrip().endswith(";") else text + ";")
        if file is not None:
            _run_file(session, file)
        if not execute and file is None:
            _shell(session, chosen.url or "the embedded engine")
    finally:
        client.close()


def _run_file(session: Session, file: Path) -> None:
    try:
        text = file.read_text("utf-8")
    except OSError as exc:
        raise UserError(f"{file} cannot be read: {exc.strerror}") from exc
    try:
        session.run(text)
    except KsqlkitError as exc:
        place = exc.location or Location()
        if place.file is None:
            exc.at(file=str(file))
        raise


def _shell(session: Session, where: str) -> None:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import FileHistory

    history = Path.home() / ".ksqlkit_history"
    prompt: PromptSession[str] = PromptSession(history=FileHistory(str(history)))
    version = session.client.info()["version"]
    messages.print(f"ksqlDB {version} at {where}. Statements end with ;  exit or Ctrl-D leaves.")
    pending = ""
    while True:
        try:
            line = prompt.prompt("ksql> " if not pending else "  ... ")
        except KeyboardInterrupt:
            pending = ""
            continue
        except EOFError:
            return
        if not pending and line.strip().rstrip(";").lower() in ("exit", "quit"):
            return
        pending = f"{pending}\n{line}" if pending else line
        if not pending.strip():
            pending = ""
        if not pending.rstrip().endswith(";"):
            continue
        text, pending = pending, ""
        try:
            session.run(text)
        except KeyboardInterrupt:
            messages.print("query ended")
        except KsqlkitError as exc:
            fail(exc)
