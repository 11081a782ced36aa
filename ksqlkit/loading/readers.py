"""CSV, JSON lines and Parquet files as rows: dicts of column name -> value, in file order."""

from __future__ import annotations

import base64
import csv
import datetime as dt
import decimal
import gzip
import io
import math
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import orjson

from ksqlkit.errors import DataError, Location

Row = dict[str, Any]
Line = tuple[int, Row]  # where the row ends in the file, from 1
NULLS = frozenset({"", "NA", "NaN", "null", "NULL"})
MAX_CELL = 16 * 1024 * 1024  # characters of one CSV cell
BROKEN = (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error)


def read_rows(path: Path) -> tuple[list[str] | None, Iterator[Row]]:
    """As `read_lines`, the rows alone."""
    columns, lines = read_lines(path)
    return columns, (row for _, row in lines)


def read_lines(path: Path) -> tuple[list[str] | None, Iterator[Line]]:
    """A file's columns (None where each row names its own) and its rows, each with its line (its number in Parquet).

    Raises DataError for a file that is missing, of an unknown kind, or malformed; the location names the line.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise DataError(f"There is no file {path}: it {what}", hint="Name a .csv, .jsonl or .parquet file.")
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
    """A CSV cell as null, whole number, number, boolean or text. A number keeps its value; else the cell is text."""
    if text in NULLS:
        return None
    if text[0] in "+-.0123456789" and "_" not in text and text.isascii():
        digits = text[1:] if text[0] in "+-" else text
        if digits.isdigit():
            plain = digits == "0" or digits[0] != "0"  # 007 is a name, not a number
            return int(text) if plain and len(digits) < 19 else text
        try:
            number = float(text)
        except ValueError:
            return text
        return number if math.isfinite(number) else text
    return {"true": True, "false": False}.get(text.lower(), text)


def converters(types: dict[str, str]) -> dict[str, Callable[[str], Any]]:
    """How to read CSV cells of columns whose SQL types are known (by column name, upper case)."""
    by_type: dict[str, Callable[[str], Any]] = {
        "INTEGER": _whole(32),
        "BIGINT": _whole(64),
        "DOUBLE": float,
        "DECIMAL": _decimal,
        "STRING": str,
        "BOOLEAN": _boolean,
        "TIMESTAMP": to_millis,
        "DATE": days,
        "TIME": millis_of_day,
        "BYTES": lambda text: base64.b64decode(text, validate=True),
    }
    return {name: by_type.get(kind.partition("(")[0], infer) for name, kind in types.items()}


def to_millis(value: Any) -> int:
    """Milliseconds since 1970-01-01 UTC from a number of milliseconds or an ISO 8601 text (UTC unless it says).

    Raises ValueError.
    """
    if isinstance(value, dt.datetime):
        return _millis(value)
    if isinstance(value, int | float):
        return int(value)
    try:
        return int(value)
    except (TypeError, ValueError):
        return _millis(dt.datetime.fromisoformat(str(value)))


def _millis(time: dt.datetime) -> int:
    zoned = time if time.tzinfo else time.replace(tzinfo=dt.UTC)
    return (zoned - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)


def days(text: str) -> int:
    """Days since 1970-01-01 from a number or an ISO 8601 date. Raises ValueError."""
    return (
        int(text) if text.lstrip("-").isdigit() else (dt.date.fromisoformat(text) - dt.date(1970, 1, 1)).days
    )


def millis_of_day(text: str) -> int:
    """Milliseconds since midnight from a number or an ISO 8601 time. Raises ValueError."""
    if text.isdigit():
        return int(text)
    time = dt.time.fromisoformat(text)
    return ((time.hour * 60 + time.minute) * 60 + time.second) * 1000 + time.microsecond // 1000


def _whole(bits: int) -> Callable[[str], int]:
    limit = 1 << bits - 1

    def read(text: str) -> int:
        value = int(text)
        if not -limit <= value < limit:
            raise ValueError
        return value

    return read


def _decimal(text: str) -> decimal.Decimal:
    try:
        value = decimal.Decimal(text)
    except decimal.InvalidOperation:
        raise ValueError from None
    if not value.is_finite():
        raise ValueError
    return value


def _boolean(text: str) -> bool:
    found = {
        "true": True,
        "t": True,
        "yes": True,
        "1": True,
        "false": False,
        "f": False,
        "no": False,
        "0": False,
    }
    try:
        return found[text.lower()]
    except KeyError:
        raise ValueError from None


@contextmanager
def _open_bytes(path: Path) -> Iterator[IO[bytes]]:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as inner:
            yield inner
    elif path.suffix == ".gz":
        with gzip.open(path, "rb") as packed:
            yield packed  # type: ignore[misc]
    else:
        with path.open("rb") as file:
            yield file


@contextmanager
def _open_text(path: Path) -> Iterator[IO[str]]:
    with _open_bytes(path) as file:
        yield io.TextIOWrapper(file, "utf-8-sig", newline="")


def _not_utf8(path: Path) -> DataError:
    """Where a file is not UTF-8: its decoder reads ahead and does not know the line."""
    with _open_bytes(path) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as exc:
                message = f"The file is not UTF-8 text: byte 0x{line[exc.start]:02x} at offset {exc.start} of the line"
                return DataError(message, location=Location(str(path), number), hint="Save it as UTF-8.")
    return DataError(f"{path} is not UTF-8 text", hint="Save it as UTF-8.")


def _read_csv(path: Path) -> tuple[list[str], Iterator[Line]]:
    csv.field_size_limit(MAX_CELL)
    try:
        with _open_text(path) as file:
            header = next(csv.reader(file), None)
    except UnicodeDecodeError:
        raise _not_utf8(path) from None
    except BROKEN as exc:
        raise DataError(f"{path} cannot be unpacked: {exc}") from exc
    if header is None:
        raise DataError(f"{path} is empty", hint="The first line names the columns.")
    twice = [name for name in header if [n.upper() for n in header].count(name.upper()) > 1]
    if twice:
        raise DataError(f"The header names column {twice[0]} more than once", location=Location(str(path), 1))
    return header, _csv_rows(path, header)


def _csv_rows(path: Path, header: list[str]) -> Iterator[Line]:
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
                yield reader.line_num, dict(zip(header, cells, strict=True))
        except UnicodeDecodeError:
            raise _not_utf8(path) from None
        except (csv.Error, *BROKEN) as exc:
            raise DataError(
                f"Not readable as CSV: {exc}", location=Location(str(path), reader.line_num)
            ) from exc


def _read_json_lines(path: Path) -> Iterator[Line]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        for number, line in enumerate(_unbroken(path, file), 1):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as exc:
                hint = "Each line is one JSON object."
                raise DataError(f"Not JSON: {exc}", location=Location(str(path), number), hint=hint) from exc
            if not isinstance(row, dict):
                hint = "Write one object a line, without [ ] and commas around them."
                raise DataError(
                    "The line is not a JSON object", location=Location(str(path), number), hint=hint
                )
            yield number, row


def _unbroken(path: Path, lines: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from lines
    except BROKEN as exc:
        raise DataError(f"{path} cannot be unpacked: {exc}") from exc


def parquet_types(path: Path) -> dict[str, Any]:
    """A Parquet file's columns with their Arrow types. Raises DataError."""
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise DataError("Reading Parquet needs pyarrow", hint="pip install 'ksqlkit[load]'") from None
    try:
        schema = parquet.read_schema(path)
    except (OSError, ValueError) as exc:
        raise DataError(f"{path} is not a Parquet file: {exc}") from exc
    return dict(zip(schema.names, schema.types, strict=True))


def _read_parquet(path: Path) -> tuple[list[str], Iterator[Line]]:
    names = list(parquet_types(path))
    twice = [name for name in names if [n.upper() for n in names].count(name.upper()) > 1]
    if twice:
        raise DataError(f"The file has column {twice[0]} more than once", location=Location(str(path)))

    def rows() -> Iterator[Line]:
        import pyarrow
        import pyarrow.parquet as parquet

        number = 0
        try:
            with parquet.ParquetFile(path) as file:
                for batch in file.iter_batches():
                    table = pyarrow.Table.from_batches([batch])
                    for row in table.cast(_microseconds(table.schema), safe=False).to_pylist():
                        number += 1
                        yield number, row
        except (OSError, pyarrow.ArrowException) as exc:
            raise DataError(
                f"Not readable as Parquet: {exc}", location=Location(str(path), number + 1)
            ) from exc

    return names, rows()


def _microseconds(schema: Any) -> Any:
    """The schema with times that Python can hold: nothing finer than microseconds."""
    import pyarrow

    def coarse(kind: Any) -> Any:
        if pyarrow.types.is_timestamp(kind) and kind.unit == "ns":
            return pyarrow.timestamp("us", kind.tz)
        return pyarrow.time64("us") if pyarrow.types.is_time64(kind) and kind.unit == "ns" else kind

    return pyarrow.schema([pyarrow.field(f.name, coarse(f.type)) for f in schema])
