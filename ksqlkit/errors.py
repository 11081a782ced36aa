"""The one error tree.

KsqlkitError
├── UserError                 exit 1: what the user wrote can be corrected by the user
│   ├── SqlError              the text is not ksqlDB SQL (parse), or means nothing here (analysis)
│   │   ├── ParseError
│   │   └── StatementError    a parsed statement that the engine refuses
│   ├── TemplateError         a template does not render (undefined variable, bad macro argument)
│   ├── ProjectError          ksqlkit.toml, refs, cycles, missing files
│   └── DataError             a data file or a record that does not fit
├── ServerError               exit 3: a server cannot be reached, is not ready, or failed
│   └── Unreachable
└── InternalError             exit 1: a bug of ours; never shown as a traceback without --debug

Every error has a code, a message that says what happened, a location where there is one, and a hint that says
what to do. Context (which file, which statement) is added at the boundary with `at()`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Self

_SYNTAX_ERROR: Final = re.compile(r"line \d+:\d+: Syntax Error\n?")
_PLACE: Final = re.compile(r" at line \d+:\d+$")


SHOWN = 160  # characters of a long line, around the place in it


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a text the user wrote. `line` and `column` count from 1; `text` is that source line."""

    file: str | None = None
    line: int | None = None
    column: int | None = None
    text: str | None = None

    def __str__(self) -> str:
        parts = [self.file or "<sql>"]
        parts += [str(n) for n in (self.line, self.column) if n is not None]
        return ":".join(parts)


class KsqlkitError(Exception):
    """Base of all errors; `exit_code` is what the command line returns, `status` what the HTTP edge
    answers."""

    code = "KSQLKIT"
    exit_code = 1
    status = 400
    error_code = 40000  # ksqlDB's own numbering, used in HTTP bodies

    def __init__(self, message: str, *, location: Location | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.location = location
        self.hint = hint

    def at(self, **place: object) -> Self:
        """Fill in parts of the location (file, line, column, text) that are known one level up."""
        self.location = replace(self.location or Location(), **place)  # type: ignore[arg-type]
        return self

    def render(self) -> str:
        """Several lines for a person: place, message, the source line with a caret, hint."""
        lines = [f"{self.location}: {self.told()}" if self.location else self.message]
        place = self.location
        if place and place.text is not None and place.column is not None:
            start = max(0, min(place.column - 1 - SHOWN // 2, len(place.text) - SHOWN))
            lines += ["  " + place.text[start : start + SHOWN], "  " + " " * (place.column - 1 - start) + "^"]
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)

    def told(self) -> str:
        """The message as it stands beside the location and the hint: without what these say."""
        return self.message


class UserError(KsqlkitError):
    """What the user wrote can be corrected by the user."""

    code = "USER"


class SqlError(UserError):
    """Text that is not ksqlDB SQL, or means nothing here."""

    code = "SQL"
    error_code = 40001
    statement: str | None = None  # its text, or the part of it that ksqlDB names, where known

    def told(self) -> str:
        """ksqlDB's message of a syntax error without the place, which it names once or twice, and the nearest word."""
        found = _SYNTAX_ERROR.match(self.message)
        if not found:
            return self.message
        lines = [_PLACE.sub("", line) for line in self.message[found.end() :].split("\n")]
        if self.hint and self.hint.startswith("did you mean"):
            lines = [line for line in lines if not line.startswith("Did you mean")]
        text = "\n".join(lines).strip()
        if text.startswith("Syntax error"):
            return text
        return f"Syntax error: {text}" if text else "Syntax error"


class ParseError(SqlError):
    """The text does not follow the grammar. The location points into the text that was given."""

    code = "SQL_PARSE"


class StatementError(SqlError):
    """A parsed statement that the engine refuses; `statement` is its text where known."""

    code = "SQL_STATEMENT"

    def __init__(
        self,
        message: str,
        *,
        statement: str | None = None,
        error_code: int = 40001,
        status: int = 400,
        location: Location | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, location=location, hint=hint)
        self.statement = statement
        self.error_code = error_code
        self.status = status


class TemplateError(UserError):
    """A template does not render."""

    code = "TEMPLATE"


class ProjectError(UserError):
    """The project file, a ref, a cycle or a missing file."""

    code = "PROJECT"


class DataError(UserError):
    """A data file or a record that does not fit."""

    code = "DATA"


class ServerError(KsqlkitError):
    """A server that failed or refused."""

    code = "SERVER"
    exit_code = 3
    status = 503
    error_code = 50300


class Unreachable(ServerError):
    """No server answers at that address."""

    code = "UNREACHABLE"


class InternalError(KsqlkitError):
    """A bug of ours."""

    code = "INTERNAL"
    status = 500
    error_code = 50000
