"""A SQL session: statements in, answers printed; keeps properties and variables as the ksqlDB CLI does."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ksqlkit.cli.entities import print_entity
from ksqlkit.cli.output import console, print_json_line, print_table
from ksqlkit.client.protocol import Client
from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import parse_one, split
from ksqlkit.errors import Location, SqlError, UserError

PAGE = 200  # rows of a query that ends are shown as one table up to here, then in further tables


@dataclass(slots=True)
class Session:
    """Runs texts of statements, in order; the first error ends a text."""

    client: Client
    properties: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    json: bool = False

    def run(self, text: str) -> None:
        """Run every statement of a text. Errors are placed in that text."""
        for statement, span in split(text):
            try:
                self._run_one(statement)
            except SqlError as exc:
                raise _place(exc, text, span) from None

    def _run_one(self, text: str) -> None:
        statement = parse_one(
            self._substitute(text), testing=True
        )  # for RUN SCRIPT, which a server never sees
        match statement:
            case N.SetProperty(name=name, value=value):
                self.properties[name] = value
            case N.UnsetProperty(name=name):
                self.properties.pop(name, None)
            case N.Define(name=name, value=value):
                self.variables[name] = value
            case N.Undefine(name=name):
                self.variables.pop(name, None)
            case N.RunScript(path=path):
                try:
                    script = Path(path).read_text("utf-8")
                except OSError as exc:
                    raise UserError(f"{path} cannot be read: {exc.strerror}") from exc
                self.run(script)
            case N.QueryStatement():
                self._query(text, statement.query)
            case N.Print():
                for line in self.client.lines(text, properties=self.properties):
                    console.print(line, markup=False, highlight=False, soft_wrap=True)
            case _:
                answers = self.client.execute(text, properties=self.properties, variables=self.variables)
                for answer in answers:
                    if self.json:
                        print_json_line(answer)
                    else:
                        print_entity(answer)

    def _query(self, text: str, query: N.Query) -> None:
        with self.client.stream(text, properties=self.properties, variables=self.variables) as rows:
            columns = rows.header.columns
            if self.json:
                for row in rows:
                    print_json_line(dict(zip(columns, row, strict=True)))
            elif query.emit and query.limit is None:
                console.print(" | ".join(columns), style="bold", markup=False)
                for row in rows:
                    console.print(
                        " | ".join(str(v) for v in row), markup=False, highlight=False, soft_wrap=True
                    )
            else:
                page: list[list[Any]] = []
                shown = False
                for row in rows:
                    page.append(row)
                    if len(page) == PAGE:
                        print_table(None, columns, page, exact=True)
                        page, shown = [], True
                if page or not shown:
                    print_table(None, columns, page, exact=True)

    def _substitute(self, text: str) -> str:
        from ksqlkit.dialect.variables import substitute

        return substitute(text, self.variables) if self.variables else text


def _place(error: SqlError, text: str, span: N.Span) -> SqlError:
    """From a place in one statement to the place in the whole text, with its line for the caret."""
    place = error.location or Location(line=1, column=1)
    if place.file is not None:
        return error
    line, column = place.line or 1, place.column or 1
    whole_line = span.line + line - 1
    whole_column = column if line > 1 else span.column + column - 1
    lines = text.splitlines()
    shown = lines[whole_line - 1] if whole_line <= len(lines) else None
    error.location = Location(None, whole_line, whole_column, shown)
    return error
