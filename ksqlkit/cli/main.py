"""The `ksqlkit` command: one module per subcommand."""

from __future__ import annotations

from typing import Annotated

import typer

from ksqlkit import __version__
from ksqlkit.cli import output
from ksqlkit.cli.apply import apply
from ksqlkit.cli.datagen import datagen
from ksqlkit.cli.demo import demo
from ksqlkit.cli.dev import dev
from ksqlkit.cli.forecast import forecast
from ksqlkit.cli.functions import functions
from ksqlkit.cli.geoip import geoip
from ksqlkit.cli.load import load
from ksqlkit.cli.models import models
from ksqlkit.cli.process import process
from ksqlkit.cli.render import render
from ksqlkit.cli.retrain import retrain
from ksqlkit.cli.sql import sql
from ksqlkit.cli.test import run_tests
from ksqlkit.cli.train import train

app = typer.Typer(
    name="ksqlkit",
    help="ksqlDB in Python: an embedded engine, SQL templates, AI functions and forecasts as SQL.",
    no_args_is_help=True,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (demo, dev, sql, render, apply, load, datagen, train, retrain, process):
    app.command()(command)
app.command("test")(run_tests)
app.add_typer(forecast, name="forecast")
app.add_typer(models, name="models")
app.add_typer(functions, name="functions")
app.add_typer(geoip, name="geoip")


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Exit codes: 0 done, 1 an error of yours (with its place and a hint), 2 usage, 3 a server can't be reached."""
    output.debug = debug
    if version:
        typer.echo(f"ksqlkit {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point of the console script."""
    app()
