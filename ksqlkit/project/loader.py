"""From a project's folder to a frozen Project: render, parse, check, order."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ksqlkit.data import data_path
from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import parse, print_statement
from ksqlkit.errors import Location, ParseError, ProjectError, SqlError, TemplateError
from ksqlkit.project.config import Config
from ksqlkit.project.graph import read_names, sort_models, topic_of
from ksqlkit.project.macros import Macro, find_macros
from ksqlkit.project.model import Model, Project, fingerprint
from ksqlkit.project.render import Reference, Renderer

_ALLOWED = (N.CreateSource, N.CreateAsSelect, N.InsertInto, N.CreateType)


class Loader:
    """Loads one project; keeps what is needed to point errors of later steps at the templates.

    `variables` override the project file's [vars]. `generated` are further statements, each with the file that it
    comes from (a forecast's tables, from its .toml).
    """

    def __init__(
        self,
        config: Config,
        variables: Mapping[str, Any] | None = None,
        generated: Sequence[tuple[Path, str]] = (),
    ) -> None:
        self.config = config
        self.generated = generated
        unknown = set(variables or ()) - set(config.vars)
        if unknown:
            raise ProjectError(
                f"The project has no variable {sorted(unknown)[0]!r}",
                hint=f"Known: {', '.join(sorted(config.vars)) or 'none'}.",
            )
        self.macros: dict[str, Macro] = find_macros([config.macros, data_path("macros")])
        self.renderer = Renderer({**config.vars, **(variables or {})}, self.macros, frozenset(config.sources))

    def files(self) -> list[Path]:
        """The project's model files, in name order; `tests` folders are left out."""
        if not self.config.sql.is_dir():
            raise ProjectError(f"The project has no folder {self.config.sql}", hint="Put .sql files there.")
        found = sorted(self.config.sql.rglob("*.sql"))
        return [f for f in found if "tests" not in f.relative_to(self.config.sql).parts[:-1]]

    def load(self) -> Project:
        """Render, parse and order all models. Raises UserErrors that point into the templates."""
        models: list[Model] = []
        references: list[Reference] = []
        for path in self.files():
            text, found = self.renderer.render(path)
            references += found
            models += self._read(path, text)
        for path, text in self.generated:
            models += [replace(m, location=Location(str(path), 1)) for m in self._read(path, text)]
        names: dict[str, Model] = {}
        for model in models:
            if model.name in names:
                first = names[model.name].location
                raise ProjectError(f"{model.name} is made twice, first at {first}", location=model.location)
            names[model.name] = model
        self._check(references, names)
        ordered = sort_models(self._link(models))
        prints: dict[str, str] = {}
        done = []
        for model in ordered:
            text = print_statement(model.statement)
            prints[model.name] = fingerprint(text, [prints[p] for p in model.parents if p in prints])
            done.append(replace(model, fingerprint=prints[model.name]))
        return Project(self.config.name, self.config.root, tuple(done))

    def locate(self, model: Model, error: SqlError) -> SqlError:
        """Move an error's place from a model's statement text, or its start, into its template."""
        line, column = model.line, model.column
        place = error.location
        if place and place.line and place.column and place.file is None:
            line, column = (
                (model.line + place.line - 1),
                (place.column if place.line > 1 else column + place.column - 1),
            )
        return self._place(model.file, error, line, column)

    def _read(self, path: Path, text: str) -> list[Model]:
        try:
            statements = parse(text)
        except ParseError as exc:
            place = exc.location or Location(line=1, column=1)
            raise self._place(path, exc, place.line or 1, place.column or 1) from None
        return [self._model(path, text, s) for s in statements]

    def _model(self, path: Path, text: str, statement: N.Statement) -> Model:
        span = statement.span or N.Span(1, 1, 0, len(text))
        sql = text[span.start : span.end].strip().removesuffix(";") + ";"
        if not isinstance(statement, _ALLOWED):
            kind = sql.split(None, 1)[0].upper()
            error = SqlError(
                f"A model file holds CREATE and INSERT INTO ... SELECT statements, not {kind}",
                hint="Type it in `ksqlkit sql`, or load data with `ksqlkit load`.",
            )
            raise self._place(path, error, span.line, span.column)
        if isinstance(statement, N.InsertInto):
            name, kind = f"INSERT INTO {statement.target} ({path.name}:{span.line})", "INSERT"
        else:
            name, kind = statement.name, "TYPE" if isinstance(statement, N.CreateType) else statement.kind
        place = self._place(path, SqlError(""), span.line, span.column).location or Location(str(path))
        parents = tuple(dict.fromkeys(read_names(statement)))
        return Model(name, kind, sql, statement, path, span.line, span.column, parents, place)

    def _link(self, models: list[Model]) -> list[Model]:
        """Add what FROM does not show: types, and a stream declared over a topic that a query here writes."""
        writers = {topic_of(m.statement): m.name for m in models if isinstance(m.statement, N.CreateAsSelect)}
        types = [m.name for m in models if m.kind == "TYPE"]
        linked = []
        for model in models:
            extra = [writers[t]] if (t := topic_of(model.statement)) in writers else []
            if isinstance(model.statement, N.CreateSource):
                extra += [name for name in types if f"`{name}`" in print_statement(model.statement)]
            parents = dict.fromkeys([*model.parents, *(e for e in extra if e != model.name)])
            linked.append(replace(model, parents=tuple(parents)))
        return linked

    def _check(self, references: list[Reference], names: Mapping[str, Model]) -> None:
        for reference in references:
            if reference.kind == "ref" and reference.name not in names:
                near = difflib.get_close_matches(reference.name, names, n=1)
                raise TemplateError(
                    f"Unknown ref {reference.name!r}: no model makes it",
                    location=reference.location,
                    hint=f"Did you mean {near[0]!r}?" if near else "If others make it, use source(...).",
                )

    def _place(self, path: Path, error: SqlError, line: int, column: int) -> SqlError:
        if any(path == file for file, _ in self.generated):
            error.location = Location(str(path), 1)
            return error
        try:
            place, inner = self.renderer.locate(path, line, column)
        except TemplateError:
            place, inner = Location(str(path)), None
        error.location = place
        if inner:
            error.hint = " ".join(filter(None, [error.hint, f"Written by the macro at {inner}."]))
        return error
