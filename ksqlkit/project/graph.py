"""What must exist before what."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping

from ksqlkit.dialect import nodes as N
from ksqlkit.errors import ProjectError
from ksqlkit.project.model import Model


def read_names(statement: N.Statement) -> Iterator[str]:
    """Streams and tables that a statement reads or writes to without making them."""
    query = getattr(statement, "query", None)
    if isinstance(query, N.Query):
        yield from _sources(query.source)
    if isinstance(statement, N.InsertInto):
        yield statement.target


def _sources(relation: N.Source | N.Join) -> Iterator[str]:
    if isinstance(relation, N.Join):
        yield from _sources(relation.left)
        yield from _sources(relation.right)
    else:
        yield relation.name


def topic_of(statement: N.Statement) -> str | None:
    """The topic a CREATE statement names or, for AS SELECT, implies."""
    if not isinstance(statement, N.CreateSource | N.CreateAsSelect):
        return None
    for key, value in statement.properties:
        if key == "KAFKA_TOPIC" and isinstance(value, N.StringLiteral):
            return value.value
    return statement.name if isinstance(statement, N.CreateAsSelect) else None


def sort_models(models: list[Model]) -> list[Model]:
    """Models in creation order; among those that are free, the order they were read in.

    Raises ProjectError with the path of a cycle.
    """
    place = {m.name: i for i, m in enumerate(models)}
    waiting = {m.name: {p for p in m.parents if p in place and p != m.name} for m in models}
    for model in models:
        if model.name in model.parents:
            raise _cycle([model.name, model.name], {m.name: m for m in models})
    children: dict[str, list[str]] = {}
    for name, parents in waiting.items():
        for parent in parents:
            children.setdefault(parent, []).append(name)
    free = [place[name] for name, parents in waiting.items() if not parents]
    heapq.heapify(free)
    ordered = []
    while free:
        model = models[heapq.heappop(free)]
        ordered.append(model)
        for child in children.get(model.name, ()):
            waiting[child].discard(model.name)
            if not waiting[child]:
                heapq.heappush(free, place[child])
    if len(ordered) < len(models):
        raise _cycle(_find_cycle({n: p for n, p in waiting.items() if p}), {m.name: m for m in models})
    return ordered


def _find_cycle(waiting: Mapping[str, set[str]]) -> list[str]:
    name = min(waiting)
    path: list[str] = []
    while name not in path:
        path.append(name)
        name = min(p for p in waiting[name] if p in waiting)
    return [*path[path.index(name) :], name][::-1]


def _cycle(path: list[str], models: Mapping[str, Model]) -> ProjectError:
    return ProjectError(
        f"The models read each other in a circle: {' -> '.join(path)}",
        location=models[path[0]].location,
        hint="Break it: one of them has to read something else.",
    )
