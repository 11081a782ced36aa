"""CSV, JSON lines and Parquet files as rows: dicts of column name -> value, in file order."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import orjson

from ksqlkit.errors import DataError, Location

Row = dict[str, Any]
NULLS = frozenset({"", "NA", "NaN", "null", "NULL"})


def read_rows(path: Path) -> tuple[list[str] | None, Iterator[Row]]:
    """A file's columns (None where each row names its own) and its rows.

    Raises DataError for a file that is missing, of an unknown kind, or malformed; the location names the line.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}", hint="Name a .csv, .jsonl or .parquet file.")
    kind = next((s for s in reversed(path.suffixes) if s not in (".gz", ".zip")), "")
    if kind == ".csv":
        return _read_csv(path)
    if kind in (".jsonl", ".ndjson", ".json"):
        return None, _read_json_lines(path)
    if kind == ".parquet":
        return _read_parquet(path)
    raise DataError(
        f"{path}: cannot tell what kind of file this is", hint="Name it .csv, .jsonl or .parquet."
    )


def infer(text: str) -> Any:
    """A CSV cell as null, whole number, number, boolean or text."""
    if text in NULLS:
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return {"true": True, "false": False}.get(text.lower(), text)


def converters(types: dict[str, str]) -> dict[str, Callable[[str], Any]]:
    """How to read CSV cells of columns whose SQL types are known (by column name, upper case)."""
    by_type: dict[str, Callable[[str], Any]] = {
        "INTEGER": int,
        "BIGINT": int,
        "DOUBLE": float,
        "STRING": str,
        "BOOLEAN": lambda t: t.lower() in ("true", "1", "t", "yes"),
    }
    return {name: by_type.get(kind.partition("(")[0], infer) for name, kind in types.items()}


@contextmanager
def _open_text(path: Path) -> Iterator[IO[str]]:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as inner:
            yield io.TextIOWrapper(inner, "utf-8", newline="")
    elif path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            yield file
    else:
        with path.open(encoding="utf-8", newline="") as file:
            yield file


def _read_csv(path: Path) -> tuple[list[str], Iterator[Row]]:
    try:
        with _open_text(path) as file:
            header = next(csv.reader(file), None)
    except UnicodeDecodeError as exc:
        raise DataError(f"{path} is not UTF-8 text: {exc}") from exc
    if header is None:
        raise DataError(f"{path} is empty", hint="The first line names the columns.")
    return header, _csv_rows(path, header)


def _csv_rows(path: Path, header: list[str]) -> Iterator[Row]:
    width = len(header)
    with _open_text(path) as file:
        reader = csv.reader(file)
        try:
            next(reader)
            for cells in reader:
                if len(cells) != width:
                    if not cells:
                        continue
                    message = f"The line has {len(cells)} cells, the header {width}"
                    raise DataError(message, location=Location(str(path), reader.line_num))
                yield dict(zip(header, cells, strict=True))
        except (csv.Error, UnicodeDecodeError) as exc:
            raise DataError(
                f"Not readable as CSV: {exc}", location=Location(str(path), reader.line_num)
            ) from exc


def _read_json_lines(path: Path) -> Iterator[Row]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as exc:
                raise DataError(f"Not JSON: {exc}", location=Location(str(path), number)) from exc
            if not isinstance(row, dict):
                raise DataError("The line is not a JSON object", location=Location(str(path), number))
            yield row


def _read_parquet(path: Path) -> tuple[list[str], Iterator[Row]]:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise DataError("Reading Parquet needs pyarrow", hint="pip install 'ksqlkit[load]'") from None
    try:
        names = list(parquet.read_schema(path).names)
    except (OSError, ValueError) as exc:
        raise DataError(f"{path} is not a Parquet file: {exc}") from exc

    def rows() -> Iterator[Row]:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield from batch.to_pylist()

    return names, rows()
