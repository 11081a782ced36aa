"""Project against live catalogue -> stages.

A model is compared in the form in which a ksqlDB repeats a statement: names qualified, defaults filled in.
The expected form comes from running the whole project on an empty engine in memory, which also proves that it
runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ksqlkit.client.protocol import Client
from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import parse_one
from ksqlkit.errors import SqlError
from ksqlkit.plan.live import Live, LiveSource, read_live
from ksqlkit.plan.stages import Action, Stage
from ksqlkit.project.loader import Loader
from ksqlkit.project.model import Model, Project


def rehearse(project: Project, empty: Client, loader: Loader) -> dict[str, str]:
    """Run every model on an empty ksqlDB; returns each model's statement (of a type: its schema) as told
    back.

    Raises the first refusal, placed in its template.
    """
    inserts: dict[str, str] = {}
    for model in project.models:
        try:
            empty.execute(model.sql)
        except SqlError as exc:
            raise loader.locate(model, exc) from None
        if model.kind == "INSERT":
            inserts[model.name] = list(read_live(empty).queries.values())[-1]
    live = read_live(empty)
    return {**{n: s.statement for n, s in live.sources.items()}, **live.types, **inserts}


def diff(project: Project, live: Live, expected: Mapping[str, str]) -> list[Stage]:
    """Stages in creation order. A model whose parent is recreated is recreated too."""
    stages: list[Stage] = []
    recreated: set[str] = set()
    for model in project.models:
        stage = _stage(project, model, live, expected)
        if stage.action in (Action.UNCHANGED, Action.REPLACE) and recreated & set(model.parents):
            parent = sorted(recreated & set(model.parents))[0]
            stage = _recreate(project, model, live, f"{parent}, which it reads, is dropped and created")
        if stage.action is Action.RECREATE:
            recreated.add(model.name)
        stages.append(stage)
    return stages


def _stage(project: Project, model: Model, live: Live, expected: Mapping[str, str]) -> Stage:
    wanted = expected[model.name]
    if model.kind == "INSERT":
        found = any(parse_one(text) == parse_one(wanted) for text in live.queries.values())
        return Stage(model, Action.UNCHANGED if found else Action.CREATE)
    if model.kind == "TYPE":
        if model.name not in live.types:
            return Stage(model, Action.CREATE)
        if live.types[model.name] == wanted:
            return Stage(model, Action.UNCHANGED)
        return Stage(model, Action.REJECTED, "a type in use cannot change; drop it by hand first")
    have = live.sources.get(model.name)
    if have is None:
        return Stage(model, Action.CREATE)
    if have.kind != model.kind:
        return Stage(model, Action.REJECTED, f"the server has a {have.kind} of that name")
    old, new = parse_one(have.statement), parse_one(wanted)
    if _comparable(old, model.statement) == _comparable(new, model.statement):
        return Stage(model, Action.UNCHANGED)
    reason = why_not_in_place(old, new)
    if reason is None:
        return Stage(model, Action.REPLACE, "columns are added at the end, or its filter changes")
    return _recreate(project, model, live, reason)


def why_not_in_place(old: N.Statement, new: N.Statement) -> str | None:
    """None where CREATE OR REPLACE can take `old` to `new` without losing state; else the reason in words."""
    if isinstance(old, N.CreateSource) and isinstance(new, N.CreateSource):
        if old.properties != new.properties:
            return "its WITH clause changes"
        if new.columns[: len(old.columns)] != old.columns:
            return "columns change or go"
        return None
    if not isinstance(old, N.CreateAsSelect) or not isinstance(new, N.CreateAsSelect):
        return "it is no longer made in the same way"
    before, after = old.query, new.query
    if before.source != after.source:
        return "it reads other sources, or joins them otherwise"
    for part, word in (("window", "window"), ("group_by", "GROUP BY"), ("partition_by", "PARTITION BY")):
        if getattr(before, part) != getattr(after, part):
            return f"its {word} changes"
    if after.group_by:
        return "an aggregate changes, and its state was built by the old one"
    if after.select[: len(before.select)] != before.select:
        return "columns change or go"
    return None


def _recreate(project: Project, model: Model, live: Live, reason: str) -> Stage:
    """Drop what stands on the model first; other models of the project are created again by their own
    stages."""
    doomed = [model, *project.children(model.name)]
    sources = [live.sources[m.name] for m in doomed if m.name in live.sources]
    queries = dict.fromkeys(q for s in sources for q in (*s.read_by, *s.written_by))
    outside = _outside(sources, project, live)
    if outside:
        reason = f"{reason}, but {outside} reads it and is not of this project"
        return Stage(model, Action.REJECTED, reason)
    drops = tuple((s.kind, s.name) for s in reversed(sources))
    return Stage(model, Action.RECREATE, reason, tuple(queries), drops)


def _outside(sources: list[LiveSource], project: Project, live: Live) -> str | None:
    mine = {m.name for m in project.models}
    for source in live.sources.values():
        if source.name not in mine and any(q in s.read_by for s in sources for q in source.written_by):
            return source.name
    return None


def _comparable(statement: N.Statement, written: N.Statement) -> N.Statement:
    """Without what the project leaves to the server: unnamed properties, OR REPLACE, IF NOT EXISTS."""
    if not isinstance(statement, N.CreateSource | N.CreateAsSelect):
        return statement
    named = {key for key, _ in getattr(written, "properties", ())}
    kept = tuple(sorted((p for p in statement.properties if p[0] in named), key=lambda p: p[0]))
    return replace(statement, properties=kept, or_replace=False, if_not_exists=False)
