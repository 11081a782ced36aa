"""Run a vectorised body so that a bad row costs only itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from udf_server.batch import Columns
from udf_server.function import RowError

# After this many rows failed alone and none succeeded, the function itself is at fault: stop trying its rows.
_HOPELESS: Final = 16
# Raised for what is wrong with a value rather than with the function.
_INPUT_ERRORS: Final = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError)


def run_isolated(body: Callable[..., Any], columns: Columns, rows: int) -> list[Any]:
    """One value or RowError per row, in order. A batch that raises or answers the wrong length is halved
    until the rows at fault stand alone."""
    out: list[Any] = [None] * rows
    pending = [(0, rows)]
    alone = 0
    succeeded = False
    while pending:
        start, end = pending.pop()
        try:
            answer = _answers(
                body, [c[start:end] for c in columns] if end - start < rows else columns, end - start
            )
        except Exception as error:
            if end - start == 1:
                out[start] = as_row_error(error)
                alone += 1
                if alone >= _HOPELESS and not succeeded:
                    for first, last in pending:
                        out[first:last] = [as_row_error(error)] * (last - first)
                    return out
            else:
                middle = (start + end) // 2
                pending += [(middle, end), (start, middle)]
        else:
            out[start:end] = answer
            succeeded = True
    return out


def _answers(body: Callable[..., Any], columns: Columns, rows: int) -> list[Any]:
    answer = body(*columns)
    values: list[Any] = answer.tolist() if hasattr(answer, "tolist") else list(answer)
    if len(values) != rows:
        raise RowError(f"the function answered {len(values)} values for {rows} rows", "UNAVAILABLE")
    return values


def as_row_error(error: Exception) -> RowError:
    """The error a caller sees: what the row did wrong, or that the function failed."""
    if isinstance(error, RowError):
        return error
    code = "INVALID_INPUT" if isinstance(error, _INPUT_ERRORS) else "UNAVAILABLE"
    return RowError(f"{type(error).__name__}: {error}"[:500], code)
