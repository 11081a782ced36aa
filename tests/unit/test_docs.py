"""What is there is documented: commands, macros, make verbs; and what is documented is there."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
import typer.main

from ksqlkit.cli.main import app
from ksqlkit.data import data_path
from ksqlkit.project.macros import find_macros

ROOT = Path(__file__).parents[2]

COMMANDS: dict[str, click.Command] = {}


def _collect(command: click.Command, path: str) -> None:
    subcommands = getattr(command, "commands", None)
    if subcommands:
        for name, sub in subcommands.items():
            _collect(sub, f"{path} {name}".strip())
    else:
        COMMANDS[path] = command


_collect(typer.main.get_command(app), "")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example_that_names_the_command(name: str) -> None:
    text = COMMANDS[name].help or ""
    assert f"Example: ksqlkit {name}" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained(name: str) -> None:
    for parameter in COMMANDS[name].params:
        assert getattr(parameter, "help", None), f"{name} {parameter.name}"


@pytest.mark.checkout
def test_the_readme_names_every_command_and_macro() -> None:
    text = (ROOT / "README.md").read_text()
    missing = [c for c in COMMANDS if c.split()[0] not in text]
    missing += [m for m in find_macros([data_path("macros")]) if f"`{m}`" not in text]
    assert not missing


@pytest.mark.checkout
def test_the_readme_names_only_commands_that_exist() -> None:
    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"`?ksqlkit ([a-z]+)", text))
    known = {c.split()[0] for c in COMMANDS}
    assert named <= known | {"is"}


@pytest.mark.checkout
def test_no_module_is_too_long() -> None:
    lengths = {}
    for package in ("ksqlkit", "udf_server", "forecasts"):
        for path in (ROOT / package).rglob("*.py"):
            lengths[str(path.relative_to(ROOT))] = len(path.read_text().splitlines())
    assert not {p: n for p, n in lengths.items() if n > 800}
    assert sorted(lengths.values())[len(lengths) // 2] < 200
