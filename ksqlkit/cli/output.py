"""How commands speak: people get text on standard output, `--json` gives one JSON document (`sql` one on each line);
messages and progress go to standard error so that output can be piped."""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

import orjson
import typer
from rich.console import Console
from rich.table import Table

from ksqlkit.client.protocol import Number
from ksqlkit.errors import KsqlkitError

if TYPE_CHECKING:
    from rich.progress import Progress

_PLACE = re.compile(r"(?:line \d+:\d+|Line: \d+, Col: \d+): ")
_AT = re.compile(r" at line \d+:\d+$", re.MULTILINE)
P = ParamSpec("P")
R = TypeVar("R")

UNBOUNDED = 100_000  # characters: where no terminal bounds them, lines are as long as what they show


class _Output(Console):
    def on_broken_pipe(self) -> None:
        end_quietly()


def _make_console() -> Console:
    bounded = sys.stdout.isatty() or "COLUMNS" in os.environ
    return _Output(width=None if bounded else UNBOUNDED)


def end_quietly() -> NoReturn:
    """End as a program does whose reader went away (`| head`): without a word, as if by SIGPIPE."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still to be flushed goes nowhere
    raise SystemExit(141)


console = _make_console()
messages = Console(stderr=True)
debug = False


def print_json(data: Any) -> None:
    """Write one JSON document, indented, with a final newline."""
    _write_json(data, orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY)


def print_json_line(data: Any) -> None:
    """Write one JSON document on a line of its own, for commands that give many."""
    _write_json(data, 0)


def _write_json(data: Any, options: int) -> None:
    options |= orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
    sys.stdout.write(orjson.dumps(data, option=options, default=_as_json).decode())
    sys.stdout.flush()


def print_line(text: str, *, bold: bool = False) -> None:
    """Text as it is, never wrapped, so that it can be copied and searched."""
    style = "bold" if bold else None
    console.print(text.translate(_HARMLESS), style=style, markup=False, highlight=False, soft_wrap=True)


def print_table(
    title: str | None, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, exact: bool = False
) -> None:
    """A table for people; numbers stand right, with four digits or, where `exact`, with all they have."""
    rows = [list(row) for row in rows]
    if title:
        console.print(title, style="bold", markup=False, highlight=False)
    table = Table(header_style="bold")
    for i, name in enumerate(columns):
        numeric = bool(rows) and all(
            isinstance(row[i], int | float) and not isinstance(row[i], bool) for row in rows
        )
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell(value, exact=exact) for value in row))
    console.print(table)


def tell(text: str) -> None:
    """A message, as it is: what looks like markup stands for itself."""
    messages.print(text, markup=False, highlight=False, soft_wrap=True)


def progress() -> Progress:
    """Progress bars on standard error, with time left; quiet where nobody looks."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=messages,
        disable=not messages.is_terminal,
    )


def fail(error: KsqlkitError) -> typer.Exit:
    """Print an error for a person; returns the exit to raise."""
    # ksqlDB's own place is in one statement; ours is in the whole text.
    if error.location and error.location.line:
        error.message = _AT.sub("", _PLACE.sub("", error.message, count=1))
    messages.print("error:", style="bold red", end=" ")
    tell(error.render())
    return typer.Exit(error.exit_code)


def guarded(command: Callable[P, R]) -> Callable[P, R]:
    """A command whose errors become a message and an honest exit code: 1 the user's, 3 a server's, 130 Ctrl-C."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except KsqlkitError as exc:
            if debug:
                raise
            raise fail(exc) from None
        except KeyboardInterrupt:
            tell("stopped")
            raise typer.Exit(130) from None
        except BrokenPipeError:
            end_quietly()
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except OSError as exc:
            if debug:
                raise
            place = f"{exc.filename}: " if exc.filename else ""
            tell(f"error: {place}{exc.strerror or exc}")
            raise typer.Exit(1) from None
        except Exception as exc:
            if debug:
                raise
            fault = f"error: a fault of ksqlkit: {type(exc).__name__}: {exc}"
            tell(fault)
            tell("hint: run `ksqlkit --debug ...` to see where, and please report it")
            raise typer.Exit(1) from None

    return run


def cell(value: Any, *, exact: bool) -> str:
    """A value on one line; numbers with all their digits where `exact`. Signs that steer a terminal are shown."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not exact:
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"
    if isinstance(value, str):
        return value.translate(_SHOWN)
    if isinstance(value, int | float):
        return str(value)
    return orjson.dumps(value, default=_as_json).decode()


def _as_json(value: Any) -> Any:
    return orjson.Fragment(value.text) if isinstance(value, Number) else str(value)


_CONTROLS = [*range(0x20), *range(0x7F, 0xA0)]
_SHOWN = {code: {9: "\\t", 10: "\\n", 13: "\\r"}.get(code, f"\\x{code:02x}") for code in _CONTROLS}
_HARMLESS = {code: shown for code, shown in _SHOWN.items() if code not in (9, 10)}  # in text of several lines
