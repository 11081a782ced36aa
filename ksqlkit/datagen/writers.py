"""Write rows as JSON lines or CSV."""

from __future__ import annotations

import contextlib
import csv
import sys
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final, TextIO

from ksqlkit.errors import DataError

FORMATS: Final = ("jsonl", "csv")


def write_rows(
    rows: Iterable[Mapping[str, Any]], out: Path | TextIO | None = None, format: str | None = None
) -> int:
    """Write to a file, a stream or (None) standard output, and return how many rows were written.

    The format is taken from a file's suffix when not given, else JSON lines. A file appears only when
    complete. Raises DataError for an unknown format, and for a file that cannot be written.
    """
    if not isinstance(out, Path):
        return _write(rows, out or sys.stdout, format or "jsonl")
    chosen = format or out.suffix.lstrip(".").lower().replace("ndjson", "jsonl")
    draft = out.with_name(f".{out.name}.part")
    try:
        with draft.open("w", encoding="utf-8", newline="") as stream:
            count = _write(rows, stream, chosen)
        draft.replace(out)
    except OSError as exc:
        raise DataError(
            f"{out} cannot be written: {exc.strerror}", hint="Name another file with --out."
        ) from exc
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    return count


def _write(rows: Iterable[Mapping[str, Any]], stream: TextIO, format: str) -> int:
    if format not in FORMATS:
        raise DataError(
            f"cannot write {format or 'a file without suffix'!r}", hint=f"formats: {', '.join(FORMATS)}"
        )
    count = 0
    if format == "jsonl":
        import orjson

        for row in rows:
            stream.write(orjson.dumps(row).decode() + "\n")
            count += 1
        return count
    source = iter(rows)
    first = next(source, None)
    if first is None:
        return 0
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(first)
    for row in chain((first,), source):
        writer.writerow(row.values())
        count += 1
    return count
