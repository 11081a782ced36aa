"""docs/forecasts.md names every key, model, table and command, and nothing that is not there."""

from __future__ import annotations

import re
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest

from forecasts.models.base import NAMES
from forecasts.spec import Spec
from forecasts.tables import row_columns, table_statements
from ksqlkit.cli.forecast import forecast

pytestmark = pytest.mark.checkout

SPEC = Spec("f", "S", ("K",), "V", "TARGET")


@cache
def page() -> str:
    """The page's text."""
    return (Path(__file__).parents[3] / "docs" / "forecasts.md").read_text("utf-8")


def test_keys() -> None:
    table = page().split("## Keys")[1].split("\n\n")[1]
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
        assert f"`{name}`" in page()
    for statement in table_statements(SPEC):
        assert f"`{statement.split()[2]}`" in page()
    for column in set(row_columns(SPEC)) - {"FORECAST"} - {"HI_80", "LO_95", "HI_95"}:
        assert f"`{column}`" in page()
    for command in forecast.registered_commands:
        name = command.name or command.callback.__name__  # type: ignore[union-attr]
        assert f"`{name}`" in page() or f"ksqlkit forecast {name}" in page()
