"""Which of a server's queries are the project's."""

from __future__ import annotations

from collections.abc import Mapping

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import parse_one
from ksqlkit.errors import ParseError
from ksqlkit.plan.live import Live
from ksqlkit.project.graph import read_names
from ksqlkit.project.model import Project


def parsed(live: Live) -> dict[str, N.Statement]:
    """The server's queries by id; those that our grammar does not know are left out."""
    found = {}
    for query, text in live.queries.items():
        try:
            found[query] = parse_one(text)
        except ParseError:
            continue
    return found


def inserts(project: Project, live: Live, expected: Mapping[str, str]) -> dict[str, tuple[str, bool]]:
    """The project's INSERT models that the server runs: name -> the query's id, and whether it is as it should be.

    A query of another text that reads the same for the same target is taken for an older version of the model.
    """
    running = {q: s for q, s in parsed(live).items() if isinstance(s, N.InsertInto)}
    wanted = {m.name: parse_one(expected[m.name]) for m in project.models if m.kind == "INSERT"}
    found: dict[str, tuple[str, bool]] = {}
    for same in (True, False):
        for name, statement in wanted.items():
            taken = {query for query, _ in found.values()}
            for query, other in running.items():
                equal = other == statement if same else _ends(other) == _ends(statement)
                if name not in found and query not in taken and equal:
                    found[name] = (query, same)
    return found


def owned(project: Project, live: Live, expected: Mapping[str, str]) -> set[str]:
    """Ids of the queries that fill the project's models."""
    made = {m.name for m in project.models}
    filling = {q for q, s in parsed(live).items() if isinstance(s, N.CreateAsSelect) and s.name in made}
    return filling | {query for query, _ in inserts(project, live, expected).values()}


def filled(live: Live) -> set[str]:
    """Streams and tables whose CREATE ... AS SELECT still has its query, running or paused."""
    return {s.name for s in parsed(live).values() if isinstance(s, N.CreateAsSelect)}


def _ends(statement: N.Statement) -> tuple[str, ...]:
    """What a statement reads, and what it writes to."""
    target = statement.target if isinstance(statement, N.InsertInto) else ""
    return (target, *sorted(read_names(statement)))
