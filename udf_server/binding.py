"""Between a call's values and a function's: rows to the overload they fit, answers as the declared type."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from udf_server.batch import Batch, Columns
from udf_server.coerce import can_fit, convert_column
from udf_server.function import Function, Overload, RowError
from udf_server.sqltype import SqlType


def as_declared(values: list[Any], returns: SqlType) -> list[Any]:
    """The answers as values of the declared type; one that is not is the function's error, for its row only."""
    good = values
    if RowError in set(map(type, values)):
        good = [None if isinstance(v, RowError) else v for v in values]
    converted, wrong = convert_column(good, returns)
    if good is values and not wrong:
        return converted
    for row, value in enumerate(values):
        if isinstance(value, RowError):
            converted[row] = value
        elif row in wrong:
            converted[row] = RowError(f"the function's answer {wrong[row]}", "UNAVAILABLE")
    return converted


def bind(
    found: Function, batch: Batch, results: list[Any]
) -> Iterable[tuple[Overload, Sequence[int], Columns]]:
    """Give each row to the first overload it fits, as columns of checked values; the others get their error."""
    for numbers, given in batch.groups:
        fitting = [(o, t) for o in found.overloads if (t := o.signature.types(len(given))) is not None]
        if not fitting:
            for number in numbers:
                results[number] = RowError(f"{found.name} takes no {len(given)} arguments")
        for place, (overload, types) in enumerate(fitting, 1):
            if place < len(fitting) and not all(map(can_fit, given, types)):
                continue
            columns, wrong = _checked(given, types)
            for row, message in wrong.items():
                results[numbers[row]] = RowError(message)
            skip = set(wrong)
            if found.nulls == "null":
                skip |= {row for c in columns if None in c for row, v in enumerate(c) if v is None}
            for row in skip - wrong.keys():
                results[numbers[row]] = None
            good = numbers
            if skip:
                kept = [row for row in range(len(numbers)) if row not in skip]
                good = [numbers[row] for row in kept]
                columns = _rows_of(columns, kept)
            if good:
                yield overload, good, columns
            if not wrong:
                break
            # What did not fit this overload is tried on the next.
            given = _rows_of(given, wrong)
            numbers = [numbers[row] for row in wrong]


def _checked(given: Columns, types: Sequence[SqlType]) -> tuple[Columns, dict[int, str]]:
    """The columns as values of the types, and by row what does not fit."""
    columns: Columns = []
    wrong: dict[int, str] = {}
    for position, (column, target) in enumerate(zip(given, types, strict=True), 1):
        converted, bad = convert_column(column, target)
        columns.append(converted)
        for row, message in bad.items():
            wrong.setdefault(row, f"argument {position}: {message}")
    return columns, wrong


def _rows_of(columns: Columns, rows: Iterable[int]) -> Columns:
    chosen = list(rows)
    return [[c[row] for row in chosen] for c in columns]
