"""What the table in CONTRIBUTING.md says a part may import, and what its `.ruff.toml` lets through, are the same."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def rows() -> Iterator[tuple[list[str], str]]:
    """The folders of each row of the house's table, and what they may import."""
    for line in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"\| (`[^|]+`) \| .* \|([^|]*)\|", line):
            yield re.findall(r"`([^`]+)`", match[1]), match[2].strip()


def limited() -> dict[str, set[str]]:
    """The folders that may not import everything, each with what it may import, as folders."""
    return {
        folder: {part if (ROOT / part).is_dir() else f"ksqlkit/{part}" for part in may.split(", ")}
        if may != "nothing of ours"
        else set()
        for folders, may in rows()
        for folder in folders
        if may not in ("", "everything")
    }


def packages() -> set[str]:
    """The parts that can be imported; the module that starts them all is one."""
    parts = {str(path.parent.relative_to(ROOT)) for path in ROOT.glob("ksqlkit/*/__init__.py")}
    return parts | {"ksqlkit/engine/rest", "ksqlkit/stack", "udf_server", "forecasts"}


@pytest.mark.checkout
def test_the_table_names_every_folder() -> None:
    files = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    tracked = {Path(name).parts for name in files.split()}
    folders = {parts[0] for parts in tracked if len(parts) > 1} - {"ksqlkit"}
    folders |= {"/".join(parts[:2]) for parts in tracked if parts[0] == "ksqlkit" and len(parts) > 2}
    assert folders - {folder for named, _ in rows() for folder in named} == set()


@pytest.mark.checkout
@pytest.mark.parametrize("part", sorted(limited()))
def test_what_a_part_may_not_import_is_found(part: str) -> None:
    others = sorted(packages() - {part})
    assert limited()[part] <= set(others)
    found = subprocess.run(
        [
            *(sys.executable, "-m", "ruff", "check", "--select", "TID251", "--output-format", "json"),
            *("--stdin-filename", f"{part}/x.py", "-"),
        ],
        input="".join(f"import {other.replace('/', '.')}\n" for other in others),
        capture_output=True,
        text=True,
        cwd=ROOT,
    ).stdout
    lines = {violation["location"]["row"] for violation in json.loads(found)}
    assert {other for row, other in enumerate(others, 1) if row not in lines} == limited()[part]
