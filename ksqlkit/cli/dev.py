"""ksqlkit dev: the embedded ksqlDB and the scoring server, with the project applied, until Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ksqlkit.cli.options import ProjectOption, open_config
from ksqlkit.cli.output import guarded, messages, tell
from ksqlkit.errors import ServerError, UserError
from ksqlkit.stack import KSQL_PORT, SCORING_PORT, Stack, StackOptions, free_port, run_stack

if TYPE_CHECKING:
    from ksqlkit.project.config import Config

REPORT = "demo.json"  # in the data folder: the demo has run, and what it measured
BEGUN = ".begun"  # instead of its suffix: it has not finished

PortOption = Annotated[
    int,
    typer.Option(
        "--port",
        help="Port of the ksqlDB; 0 takes free ports for both servers.",
        min=0,
        max=65535,
        envvar="KSQLKIT_PORT",
    ),
]
ScoringPortOption = Annotated[
    int,
    typer.Option("--scoring-port", help="Port of the scoring server; 0 takes a free one.", min=0, max=65535),
]


@guarded
def dev(
    port: PortOption = KSQL_PORT,
    scoring_port: ScoringPortOption = SCORING_PORT,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    data: Annotated[Path | None, typer.Option("--data", help="Folder for records and state; kept.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Also run the demo's job first.")] = False,
    project: ProjectOption = None,
) -> None:
    """Run the embedded ksqlDB and the scoring server with the project applied, until Ctrl-C.

    Records and state are kept in .ksqlkit/ and are there again at the next start.

    Example: ksqlkit dev --port 0
    """
    config = open_config(project)
    folder = data or Path.cwd() / ".ksqlkit"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        hint = "Name another folder for records and state with --data."
        raise UserError(f"{folder} cannot be made: {exc.strerror}", hint=hint) from exc
    _check_host(host)
    models = folder / "models" if demo else config.models
    log = folder / "log.db"
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell started us with Ctrl-C ignored
        signal.signal(number, signal.default_int_handler)
    if demo:
        _forget_half_a_demo(folder, log)
    options = StackOptions(models, config.functions, log, host, port, 0 if port == 0 else scoring_port)
    with run_stack(options) as stack:
        if demo:
            _demo(stack, config, models, folder / REPORT)
        else:
            _apply(stack, config.root)
        print_connections(stack)
        _wait(stack)


def _check_host(host: str) -> None:
    """Raise UserError for an address that this machine does not have."""
    try:
        free_port(host)
    except OSError as exc:
        hint = "127.0.0.1 is this machine alone, 0.0.0.0 all its networks."
        raise UserError(f"--host {host}: cannot listen there: {exc.strerror or exc}", hint=hint) from exc


def _demo(stack: Stack, config: Config, models: Path, report: Path) -> None:
    """Run the demo's job once per data folder; later its figures are shown again."""
    import orjson

    from ksqlkit.demo.job import run_job
    from ksqlkit.demo.report import Report
    from ksqlkit.demo.summary import print_summary

    if report.exists():
        tell("The demo's input is there already; these are the figures of its run.")
        print_summary(Report(**orjson.loads(report.read_bytes())))
        return
    begun = report.with_suffix(BEGUN)
    begun.touch()
    done = run_job(stack, config, models)
    report.write_bytes(orjson.dumps(done.as_dict(), option=orjson.OPT_INDENT_2))
    begun.unlink()
    print_summary(done)


def _forget_half_a_demo(folder: Path, log: Path) -> None:
    """A demo that was stopped half-way would load its first half twice: begin anew."""
    begun = (folder / REPORT).with_suffix(BEGUN)
    if begun.exists():
        tell(f"The last demo was stopped half-way; its records in {folder} are dropped.")
        for path in (log, *folder.glob(log.name + "*")):
            path.unlink(missing_ok=True)
        begun.unlink()


def print_connections(stack: Stack) -> None:
    """How to reach the servers."""
    url, scoring = stack.ksql.url, stack.scoring.url
    lines = [
        ("ksqlDB", url),
        ("scoring server", f"{scoring}  (OpenAPI at {scoring}/docs)"),
        ("our shell", f"ksqlkit sql --server {url}"),
        ("ksqlDB CLI", f"ksql {url}"),
        ("curl", f'curl -s {url}/ksql -d \'{{"ksql": "SHOW STREAMS;"}}\''),
        (
            "ksql-python",
            f"python -c \"from ksql import KSQLAPI; print(KSQLAPI('{url}').ksql('show tables'))\"",
        ),
    ]
    for name, text in lines:
        messages.print(f"  {name:<15}", style="bold", end="")
        tell(text)
    tell("Ctrl-C stops; records and state stay.")


def _apply(stack: Stack, root: Path) -> None:
    """Apply the project in a process of its own: what it loads for that is not kept while we wait."""
    command = [sys.executable, "-m", "ksqlkit", "apply", "--project", str(root)]
    done = subprocess.run([*command, "--server", stack.ksql.url, "--scoring", stack.scoring.url])
    if done.returncode:
        tell("The project was not applied; the servers run. Correct it and run `ksqlkit apply`.")


def _wait(stack: Stack) -> None:
    while True:
        time.sleep(0.5)
        for server in (stack.ksql, stack.scoring):
            if not server.alive:
                said = server.log.strip()[-2000:] or f"exit code {server.process.returncode}"
                hint = "What it had confirmed is kept; start again with `ksqlkit dev`."
                raise ServerError(f"The {server.name} ended: {said}", hint=hint)
