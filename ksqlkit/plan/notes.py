"""What the server has and the project does not ask for: told, and left alone."""

from __future__ import annotations

from collections.abc import Container, Mapping

from ksqlkit.dialect import nodes as N
from ksqlkit.plan.live import Live
from ksqlkit.plan.queries import inserts, parsed
from ksqlkit.project.model import Project

MANY = 10  # names in one note
PROCESSING_LOG = "KSQL_PROCESSING_LOG"


def notes(project: Project, live: Live, expected: Mapping[str, str], external: Container[str]) -> list[str]:
    """Streams, tables and inserts that no model makes any more (or never did), and queries that do not run."""
    made = {m.name for m in project.models}
    found = []
    strange = [
        f"{s.kind} {s.name}"
        for s in live.sources.values()
        if s.name not in made and s.name not in external and s.name != PROCESSING_LOG
    ]
    if strange:
        more = f" and {len(strange) - MANY} more" if len(strange) > MANY else ""
        found.append(
            f"on the server and not in the project: {', '.join(strange[:MANY])}{more}. "
            f"If it is a model's old name, it goes with DROP {strange[0]} DELETE TOPIC;"
        )
    known = {query for query, _ in inserts(project, live, expected).values()}
    for query, statement in parsed(live).items():
        if isinstance(statement, N.InsertInto) and statement.target in made and query not in known:
            found.append(
                f"{query} writes to {statement.target} and is not in the project. TERMINATE {query}; ends it"
            )
        state = live.states.get(query)
        sink = statement.target if isinstance(statement, N.InsertInto) else getattr(statement, "name", "")
        if sink in made and state and state != "RUNNING":
            found.append(f"{query}, which writes to {sink}, is {state}")
    return found
