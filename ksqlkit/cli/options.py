"""Options that several commands share, and what they open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ksqlkit.cli.output import tell
from ksqlkit.errors import UserError

if TYPE_CHECKING:
    from ksqlkit.client.protocol import Client
    from ksqlkit.project.config import Config, Target
    from ksqlkit.project.loader import Loader

ProjectOption = Annotated[
    Path | None,
    typer.Option(
        "--project", "-p", help="Folder with ksqlkit.toml; by default this one or the nearest above."
    ),
]
TargetOption = Annotated[
    str | None, typer.Option("--target", "-t", help="A target of ksqlkit.toml; by default the project's.")
]
ServerOption = Annotated[
    str | None,
    typer.Option("--server", "-s", help="URL of a ksqlDB, instead of the target's.", envvar="KSQLKIT_SERVER"),
]
ScoringOption = Annotated[
    str | None,
    typer.Option(
        "--scoring", help="URL of the scoring server, instead of the project's.", envvar="KSQLKIT_SCORING"
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON.")]
VarOption = Annotated[
    list[str] | None, typer.Option("--var", help="NAME=VALUE, instead of the project's. May be repeated.")
]


def open_config(project: Path | None) -> Config:
    """The project's settings, or those shipped with ksqlkit where there is no project around."""
    from ksqlkit.data import data_path
    from ksqlkit.errors import ProjectError
    from ksqlkit.project.config import find_root, load_config

    if project is not None:
        return load_config(project.resolve())
    try:
        root = find_root(Path.cwd())
    except ProjectError:
        root = data_path("ksqlkit.toml").parent
    return load_config(root)  # a project file with an error is never passed over


def tell_reference(config: Config) -> None:
    """Say that it is the shipped project, where no other is around."""
    from ksqlkit.data import data_path

    if config.root == data_path("ksqlkit.toml").parent and not Path.cwd().is_relative_to(config.root):
        text = "No ksqlkit.toml here or above: this is the reference project that comes with ksqlkit."
        tell(text)


def open_loader(config: Config, var: list[str] | None = None) -> Loader:
    """The loader of a project, with the tables of its forecasts among its models."""
    from forecasts.publish import table_statements
    from forecasts.spec import load_specs
    from ksqlkit.project.loader import Loader

    specs = load_specs(config.forecasts)
    generated = [(config.forecasts / f"{n}.toml", "\n".join(table_statements(s))) for n, s in specs.items()]
    return Loader(config, parse_vars(var), generated)


def open_client(config: Config | None, target: str | None, server: str | None) -> tuple[Client, Target]:
    """The client of a target, or of a server named on the command line."""
    from ksqlkit.client import connect
    from ksqlkit.project.config import FILE, Target

    if server is not None:
        chosen = Target("command line", url=server)
        return connect(chosen), chosen
    config = config or open_config(None)
    chosen = config.pick_target(target)
    try:
        return connect(chosen), chosen
    except UserError as exc:
        if exc.location is None:
            exc.at(file=str(config.root / FILE))
        raise


def parse_vars(pairs: list[str] | None) -> dict[str, Any]:
    """NAME=VALUE pairs; values are read as TOML where they are that, else as text. Raises UserError."""
    import tomllib

    found: dict[str, Any] = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UserError(f"--var takes NAME=VALUE, not {pair!r}")
        try:
            found[name] = tomllib.loads(f"v = {value}")["v"]
        except tomllib.TOMLDecodeError:
            found[name] = value
    return found
