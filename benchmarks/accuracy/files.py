"""Finding and reading the files of data sets, shown and kept back."""

from __future__ import annotations

import csv
from pathlib import Path

from benchmarks.accuracy import registry


def kept_back(*patterns: str) -> list[Path]:
    """Test files of those name patterns anywhere in the folder of those kept back; none without such a folder. Raises
    FileNotFoundError for a folder that has none of them."""
    folder = registry.test_folder()
    if folder is None:
        return []
    return _found(folder, {p for pattern in patterns for p in folder.rglob(pattern)}, patterns)


def shown(folder: Path, pattern: str) -> list[Path]:
    """Files of the shown part of that name pattern. Raises FileNotFoundError where there is none."""
    return _found(folder, set(folder.glob(pattern)), (pattern,))


def _found(folder: Path, paths: set[Path], patterns: tuple[str, ...]) -> list[Path]:
    files = sorted(p for p in paths if p.is_file())
    if not files:
        raise FileNotFoundError(f"no file named {' or '.join(patterns)} in {folder}")
    return files


def read_csv(path: Path, first: str, second: str) -> tuple[list[str], list[str]]:
    """Two columns of a .csv file with a header."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [(row[first], row[second]) for row in csv.DictReader(file)]
    return [a for a, _ in rows], [b for _, b in rows]


def read_pairs(path: Path) -> tuple[list[str], list[str]]:
    """Text and label of a file with a tab between and no header."""
    lines = [line.rsplit("\t", 1) for line in path.read_text(encoding="utf-8").splitlines() if "\t" in line]
    return [a for a, _ in lines], [b.strip() for _, b in lines]
