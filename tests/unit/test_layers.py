"""Each part of the house may import only what it may know; ruff enforces it by one ruff.toml per part."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.checkout
@pytest.mark.parametrize(
    ("part", "forbidden"),
    [
        ("ksqlkit/dialect", "ksqlkit.engine"),
        ("ksqlkit/engine", "ksqlkit.client"),
        ("ksqlkit/engine/plan", "ksqlkit.project"),
        ("ksqlkit/engine/rest", "ksqlkit.cli"),
        ("ksqlkit/client", "ksqlkit.project"),
        ("ksqlkit/project", "ksqlkit.engine"),
        ("ksqlkit/plan", "ksqlkit.cli"),
        ("ksqlkit/processor", "ksqlkit.cli"),
        ("ksqlkit/testing", "ksqlkit.plan"),
        ("udf_server", "ksqlkit.engine"),
        ("forecasts", "ksqlkit.engine"),
    ],
)
def test_a_forbidden_import_is_found(part: str, forbidden: str) -> None:
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--select",
        "TID251",
        "--stdin-filename",
        f"{part}/x.py",
        "-",
    ]
    found = subprocess.run(command, input=f"import {forbidden}\n", capture_output=True, text=True, cwd=ROOT)
    assert "TID251" in found.stdout
    assert found.returncode == 1
