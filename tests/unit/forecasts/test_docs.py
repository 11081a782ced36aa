"""docs/forecasts.md names every key, model, table and command, and nothing that is not there."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from forecasts.models.base import NAMES
from forecasts.spec import Spec
from forecasts.tables import row_columns, table_statements
from ksqlkit.cli.forecast import forecast

PAGE = (Path(__file__).parents[3] / "docs" / "forecasts.md").read_text("utf-8")
SPEC = Spec("f", "S", ("K",), "V", "TARGET")


def test_keys() -> None:
    table = PAGE.split("## Keys")[1].split("\n\n")[1]
    named = {key for row in table.splitlines()[2:] for key in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == {f.name for f in fields(Spec)} - {"name"}


def test_defaults() -> None:
    defaults = {f.name: f.default for f in fields(Spec)}
    assert (defaults["horizon"], defaults["folds"], defaults["minimum"], defaults["window"]) == (
        24,
        8,
        20,
        4000,
    )
    assert (defaults["levels"], defaults["refit"], defaults["drift"]) == ((80, 95), "week", 1.5)


def test_models_tables_and_commands() -> None:
    for name in NAMES:
        assert f"`{name}`" in PAGE
    for statement in table_statements(SPEC):
        assert f"`{statement.split()[2]}`" in PAGE
    for column in set(row_columns(SPEC)) - {"FORECAST"} - {"HI_80", "LO_95", "HI_95"}:
        assert f"`{column}`" in PAGE
    for command in forecast.registered_commands:
        name = command.name or command.callback.__name__  # type: ignore[union-attr]
        assert f"`{name}`" in PAGE or f"ksqlkit forecast {name}" in PAGE
