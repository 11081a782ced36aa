"""Which query to run: that of a file, or the one that a macro left in a comment of the project's SQL."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import parse
from ksqlkit.errors import Location, ParseError, ProjectError
from ksqlkit.project.graph import read_names
from ksqlkit.project.loader import Loader
from ksqlkit.project.model import Project
from ksqlkit.project.render import resolve_name

_COMMENT: Final = re.compile(r"/\*\s*ksqlkit process\b(.*?)\*/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Spec:
    """A query to run. `before` are the statements it stands on, in order; `declared` is the stream over its topic,
    where the project has one; `place` is where it was written."""

    name: str
    query: N.CreateAsSelect
    before: tuple[N.Statement, ...]
    declared: N.CreateSource | None
    place: Location


def read_file(path: Path) -> Spec:
    """A file of plain SQL: the last statement is the query, those before it what it reads. Raises ParseError,
    ProjectError."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ProjectError(f"{path} cannot be read: {error.strerror}") from error
    try:
        statements = parse(text)
    except ParseError as error:
        raise error.at(file=str(path)) from None
    place = Location(str(path))
    if not statements:
        raise ProjectError("There is no statement in it", location=place)
    return Spec(*_query(statements[-1], place), tuple(statements[:-1]), None, place)


def find(loader: Loader, names: list[str]) -> list[Spec]:
    """The queries of those names in the project. Raises ProjectError for one that is not there, or that ksqlDB runs."""
    project = loader.load()
    models = project.by_name()
    found: dict[str, Spec] = {}
    for path in loader.files():
        text, _ = loader.renderer.render(path)
        for match in _COMMENT.finditer(text):
            place = Location(str(path), text.count("\n", 0, match.start()) + 1)
            try:
                (statement,) = parse(match[1])
            except (ParseError, ValueError) as error:
                raise ProjectError(
                    f"The comment `ksqlkit process` holds no query: {error}", location=place
                ) from None
            name, query = _query(statement, place)
            own = models[name].statement if name in models else None
            before = _ancestors(project, query)
            found[name] = Spec(name, query, before, own if isinstance(own, N.CreateSource) else None, place)
    chosen = []
    for name in map(resolve_name, names):
        if name not in found:
            raise _missing(name, found, models[name].location if name in models else None)
        chosen.append(found[name])
    return chosen


def _ancestors(project: Project, query: N.CreateAsSelect) -> tuple[N.Statement, ...]:
    """What the query stands on, in an order in which it can be created; and all types."""
    needed = set(read_names(query))
    for model in reversed(project.models):
        if model.name in needed:
            needed |= set(model.parents)
    return tuple(m.statement for m in project.models if m.name in needed or m.kind == "TYPE")


def _query(statement: N.Statement, place: Location) -> tuple[str, N.CreateAsSelect]:
    if not isinstance(statement, N.CreateAsSelect) or statement.kind != "STREAM":
        raise ProjectError("A processor runs a CREATE STREAM ... AS SELECT", location=place)
    return statement.name, statement


def _missing(name: str, known: dict[str, Spec], place: Location | None) -> ProjectError:
    if place is not None:
        return ProjectError(
            f"{name} is not for a processor: ksqlDB itself computes it",
            location=place,
            hint="Say lane='processor' there.",
        )
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(sorted(known)) or 'none'}."
    return ProjectError(f"The project has no processor {name!r}", hint=hint)
