"""One line of delimited text, as Apache Commons CSV's default format reads and writes it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache


def split_record(text: str, delimiter: str) -> list[str]:
    """Cells of the first non-empty line.

    Raises ValueError with the reason for broken quotes or no line at all.
    """
    first: list[str] | None = None
    cells: list[str] = []
    at, end, line = 0, len(text), 1
    while at < end or cells:
        if not cells and at < end and text[at] in "\r\n":  # an empty line
            at += 1
            continue
        if at < end and text[at] == '"':
            cell, at = _quoted(text, at + 1, delimiter, line)
        else:
            start = at
            while at < end and text[at] != delimiter and text[at] not in "\r\n":
                at += 1
            cell = text[start:at]
        cells.append(cell)
        if at < end and text[at] == delimiter:
            at += 1
            continue
        first, cells = first or cells, []
        if text[at : at + 2] == "\r\n":
            at += 1
        at += 1
        line += 1
    if first is None:
        raise ValueError("No fields in record")
    return first


def _quoted(text: str, at: int, delimiter: str, line: int) -> tuple[str, int]:
    """The cell after its opening quote, and where it ends."""
    parts = []
    while True:
        close = text.find('"', at)
        if close < 0:
            raise ValueError(f"(startline {line}) EOF reached before encapsulated token finished")
        parts.append(text[at:close])
        at = close + 1
        if text[at : at + 1] != '"':
            break
        parts.append('"')
        at += 1
    while at < len(text) and text[at] != delimiter and text[at] not in "\r\n":
        if not text[at].isspace():
            raise ValueError(f"(line {line}) invalid char between encapsulated token and delimiter")
        at += 1
    return "".join(parts), at


@lru_cache(maxsize=64)
def make_quoter(delimiter: str, *, first: bool) -> Callable[[str], str]:
    """A function that quotes a cell where needed; a line's first cell is quoted unless it starts with a
    letter or digit."""
    odd_start = r"\A(?![0-9A-Za-z])" if first else r"\A[\x00-#]"
    odd = re.compile(rf'{odd_start}|["\r\n{re.escape(delimiter)}]|[\x00- ]\Z').search

    def quote(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"' if odd(cell) else cell

    return quote
