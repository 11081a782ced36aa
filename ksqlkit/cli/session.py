"""A SQL session: statements in, answers printed; keeps properties and variables as the ksqlDB CLI does."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ksqlkit.cli.entities import print_entity
from ksqlkit.cli.output import print_json_line, print_line, print_table, tell
from ksqlkit.cli.rows import RowPrinter
from ksqlkit.client.protocol import Client, RowErrors, RowStream
from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import parse_one, split
from ksqlkit.errors import Location, SqlError, UserError
from ksqlkit.files import read_text

PAGE = 200  # rows of a query that ends are shown as one table up to here, then in further tables
MAX_DEPTH = 10  # scripts that run scripts


class Variables(dict[str, str]):
    """DEFINE's values; as in ksqlDB, names are the same in upper and lower case."""

    def __setitem__(self, name: str, value: str) -> None:
        super().__setitem__(name.lower(), value)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a name, in whatever case it is written."""
        return super().get(name.lower(), default)

    def pop(self, name: str, default: Any = None) -> Any:
        """Forget a name; returns the value that it had."""
        return super().pop(name.lower(), default)


@dataclass(slots=True)
class Session:
    """Runs texts of statements, in order; the first error ends a text. A text with a syntax error runs not at all.

    Where somebody watches (`interactive`), SET and DEFINE say what they did. `rows` counts the rows shown.
    """

    client: Client
    properties: dict[str, Any] = field(default_factory=dict)
    variables: Variables = field(default_factory=Variables)
    json: bool = False
    interactive: bool = False
    rows: int = 0
    _depth: int = 0

    def run(self, text: str) -> None:
        """Run every statement of a text. Errors are placed in that text."""
        statements = [(statement, span) for statement, span in split(text) if statement != ";"]
        for statement, span in statements:
            with _placed(text, span):
                if "${" not in statement:  # a variable may be defined further up
                    parse_one(statement, testing=True)
        for statement, span in statements:
            with _placed(text, span):
                self._run_one(statement)

    def _run_one(self, text: str) -> None:
        plain = self._substitute(text)
        statement = parse_one(plain, testing=True)  # for RUN SCRIPT, which a server never sees
        match statement:
            case N.SetProperty(name=name, value=value):
                # Refused where it is no property.
                self.client.execute("SHOW PROPERTIES;", properties={**self.properties, name: value})
                self.properties[name] = value
                self._say(f"{name} is '{value}' in this session. UNSET '{name}'; takes that back.")
            case N.UnsetProperty(name=name):
                if name not in self.properties:
                    raise SqlError(f"Cannot unset property '{name}', which was never set in your session")
                self._say(f"{name} is no longer '{self.properties.pop(name)}'.")
            case N.Define(name=name, value=value):
                self.variables[name] = value
                self._say(f"${{{name}}} is '{value}' in this session.")
            case N.Undefine(name=name):
                if self.variables.pop(name) is None:
                    tell(f"Variable {name} is not defined.")
            case N.RunScript(path=path):
                self.run_file(Path(path))
            case N.QueryStatement():
                self._query(plain, statement.query)
            case N.Print():
                for line in self.client.lines(plain, properties=self.properties):
                    print_line(line)
            case _:
                answers = self.client.execute(text, properties=self.properties, variables=self.variables)
                for answer in answers:
                    if self.json:
                        print_json_line(answer)
                    else:
                        print_entity(answer)

    def run_file(self, path: Path) -> None:
        """Run the statements of a file; errors are placed in it."""
        if self._depth >= MAX_DEPTH:
            raise UserError(f"{path} is a script in a script, {MAX_DEPTH} deep", hint="Does it run itself?")
        text = read_text(path)
        self._depth += 1
        try:
            self.run(text)
        except SqlError as exc:
            if exc.location is None or exc.location.file is None:
                exc.at(file=str(path))
            raise
        finally:
            self._depth -= 1

    def _query(self, text: str, query: N.Query) -> None:
        with self.client.stream(text, properties=self.properties, exact=True) as rows:
            try:
                self._show(rows, query)
            finally:  # also where Ctrl-C ends it
                _tell_errors(rows.row_errors)

    def _show(self, rows: RowStream, query: N.Query) -> None:
        columns = rows.header.columns
        if self.json:
            for row in rows:
                self.rows += 1
                print_json_line(dict(zip(columns, row, strict=True)))
            return
        if query.emit:  # rows may be long in coming: each is shown as it comes
            printer = RowPrinter(columns)
            for row in rows:
                self.rows += 1
                printer.print(row)
            return
        page: list[list[Any]] = []
        for row in rows:
            page.append(row)
            self.rows += 1
            if len(page) == PAGE:
                print_table(None, columns, page, exact=True)
                page = []
        if page or not self.rows:
            print_table(None, columns, page, exact=True)

    def _substitute(self, text: str) -> str:
        from ksqlkit.dialect.variables import substitute

        return substitute(text, self.variables)

    def _say(self, text: str) -> None:
        if self.interactive:
            tell(text)


def _tell_errors(errors: RowErrors) -> None:
    """Why values are null or rows missing; the same as the processing log has, on standard error."""
    if not errors.count:
        return
    many = "1 error" if errors.count == 1 else f"{errors.count:,} errors"
    reasons = errors.reasons if len(errors.reasons) == 1 else ("", *errors.reasons)
    tell(f"note: {many} in the rows read: " + "\n  ".join(reasons))


@contextlib.contextmanager
def _placed(text: str, span: N.Span) -> Any:
    """Errors in a statement, placed in the text that it is of, with its line for the caret."""
    try:
        yield
    except SqlError as error:
        place = error.location or Location(line=1, column=1)
        if place.file is None:
            line, column = place.line or 1, place.column or 1
            whole_line = span.line + line - 1
            whole_column = column if line > 1 else span.column + column - 1
            lines = text.split("\n")
            shown = lines[whole_line - 1].rstrip("\r") if whole_line <= len(lines) else None
            error.location = Location(None, whole_line, whole_column, shown)
        raise
