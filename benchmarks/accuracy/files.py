"""Finding and reading the files of data sets, shown and kept back."""

from __future__ import annotations

import csv
from pathlib import Path

from benchmarks.accuracy import registry


def kept_back(pattern: str) -> list[Path]:
    """Test files of that name pattern anywhere in the folder of those kept back; none without such a folder."""
    folder = registry.test_folder()
    return [] if folder is None else sorted(p for p in folder.rglob(pattern) if p.is_file())


def read_csv(path: Path, first: str, second: str) -> tuple[list[str], list[str]]:
    """Two columns of a .csv file with a header."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [(row[first], row[second]) for row in csv.DictReader(file)]
    return [a for a, _ in rows], [b for _, b in rows]


def read_pairs(path: Path) -> tuple[list[str], list[str]]:
    """Text and label of a file with a tab between and no header."""
    lines = [line.rsplit("\t", 1) for line in path.read_text(encoding="utf-8").splitlines() if "\t" in line]
    return [a for a, _ in lines], [b.strip() for _, b in lines]
