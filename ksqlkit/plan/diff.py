"""Project against live catalogue -> stages.

A model is compared in the form in which a ksqlDB repeats a statement: names qualified, defaults filled in.
The expected form comes from running the whole project on an empty engine in memory, which also proves that it
runs.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace

from ksqlkit.client.protocol import Client
from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import parse_one
from ksqlkit.errors import SqlError
from ksqlkit.plan.live import Live, LiveSource, read_live
from ksqlkit.plan.queries import filled, inserts, owned
from ksqlkit.plan.stages import Action, Drop, Stage
from ksqlkit.project.graph import topic_of
from ksqlkit.project.loader import Loader
from ksqlkit.project.model import Model, Project


def rehearse(project: Project, empty: Client, loader: Loader) -> dict[str, str]:
    """Run every model on an empty ksqlDB; returns each model's statement (of a type: its schema) as told
    back.

    Raises the first refusal, placed in its template.
    """
    told: dict[str, str] = {}
    for model in project.models:
        try:
            empty.execute(model.sql)
        except SqlError as exc:
            raise loader.locate(model, exc) from None
        if model.kind == "INSERT":
            told[model.name] = list(read_live(empty).queries.values())[-1]
    live = read_live(empty)
    return {**{n: s.statement for n, s in live.sources.items()}, **live.types, **told}


def diff(project: Project, live: Live, expected: Mapping[str, str]) -> list[Stage]:
    """Stages in creation order. A model whose parent is recreated is recreated too."""
    running = inserts(project, live, expected)
    differ = _Differ(project, live, expected, running, owned(project, live, expected), filled(live))
    stages: list[Stage] = []
    recreated: set[str] = set()
    for model in project.models:
        stage = differ.stage(model)
        if stage.action in (Action.UNCHANGED, Action.REPLACE) and recreated & set(model.parents):
            parent = sorted(recreated & set(model.parents))[0]
            stage = differ.recreate(model, f"{parent}, which it reads, is dropped and created")
        if stage.action is Action.RECREATE and model.kind != "INSERT":
            recreated.add(model.name)
        stages.append(stage)
    return stages


@dataclass(frozen=True, slots=True)
class _Differ:
    project: Project
    live: Live
    expected: Mapping[str, str]
    inserts: Mapping[str, tuple[str, bool]]
    owned: Container[str]
    filled: Container[str]

    def stage(self, model: Model) -> Stage:
        """What one model needs for itself."""
        if model.kind == "INSERT":
            return self._insert(model)
        if model.kind == "TYPE":
            return self._type(model)
        have = self.live.sources.get(model.name)
        if have is None:
            return self._create(model)
        if have.kind != model.kind:
            reason = f"the server has a {have.kind} of that name; DROP {have.kind} {model.name}; first"
            return Stage(model, Action.REJECTED, reason)
        old, new = parse_one(have.statement), parse_one(self.expected[model.name])
        before, after = _comparable(old, new, model.statement), _comparable(new, new, model.statement)
        if before != after:
            obstacle = why_not_in_place(before, after)
            if obstacle is None:
                return Stage(model, Action.REPLACE, _what_changes(before, after))
            return self.recreate(model, obstacle)
        if isinstance(model.statement, N.CreateAsSelect) and model.name not in self.filled:
            return self.recreate(model, "the query that fills it was terminated")
        return Stage(model, Action.UNCHANGED)

    def _insert(self, model: Model) -> Stage:
        query, same = self.inserts.get(model.name, (None, False))
        if query is None:
            return Stage(model, Action.CREATE)
        return Stage(model, Action.UNCHANGED) if same else self.recreate(model, "its SELECT changes")

    def _type(self, model: Model) -> Stage:
        known = self.live.types.get(model.name)
        if known is None:
            return Stage(model, Action.CREATE)
        if known == self.expected[model.name]:
            return Stage(model, Action.UNCHANGED)
        return Stage(model, Action.RECREATE, "its fields change", drop=(Drop("TYPE", model.name),))

    def _create(self, model: Model) -> Stage:
        topic = _topic(parse_one(self.expected[model.name]))
        if problem := self._partitions(model, topic):
            return Stage(model, Action.REJECTED, problem)
        there = topic in self.live.topics and isinstance(model.statement, N.CreateAsSelect)
        return Stage(
            model, Action.CREATE, f"topic {topic} is there already; what it holds stays" if there else ""
        )

    def _partitions(self, model: Model, topic: str) -> str | None:
        """Why the topic that is there cannot be the model's, or None."""
        wanted = dict(getattr(model.statement, "properties", ())).get("PARTITIONS")
        have = self.live.topics.get(topic)
        if have is None or not isinstance(wanted, N.IntegerLiteral) or wanted.value == have:
            return None
        return (
            f"topic {topic} has {have} partitions, not {wanted.value}, and ksqlDB does not change that: "
            "name another KAFKA_TOPIC, or delete the topic with its records"
        )

    def recreate(self, model: Model, reason: str) -> Stage:
        """Drop what stands on the model first; other models of the project are created again by their own stages."""
        if model.kind == "INSERT":
            query, _ = self.inserts.get(model.name, (None, False))
            target = model.statement.target if isinstance(model.statement, N.InsertInto) else ""
            reason += f"; {target} keeps what was inserted, and gets what is read again on top"
            return Stage(model, Action.RECREATE, reason, (query,) if query else ())
        doomed = [model, *self.project.children(model.name)]
        sources = [(m, self.live.sources[m.name]) for m in doomed if m.name in self.live.sources]
        kept = not isinstance(model.statement, N.CreateAsSelect)
        if kept and (problem := self._partitions(model, _topic(parse_one(self.expected[model.name])))):
            return Stage(model, Action.REJECTED, problem)
        queries = dict.fromkeys(q for _, s in sources for q in (*s.read_by, *s.written_by))
        outside = self._outside([s for _, s in sources], queries)
        if outside:
            return Stage(model, Action.REJECTED, f"{reason}, but {outside}, which is not of this project")
        drops = tuple(
            Drop(s.kind, s.name, topic=isinstance(m.statement, N.CreateAsSelect))
            for m, s in reversed(sources)
        )
        return Stage(model, Action.RECREATE, reason, tuple(queries), drops)

    def _outside(self, doomed: list[LiveSource], queries: Iterable[str]) -> str | None:
        """What others have that stands on the doomed, in words."""
        mine = {m.name for m in self.project.models}
        by_query = {q: s.name for s in self.live.sources.values() for q in s.written_by if s.name not in mine}
        for query in queries:
            if query in by_query:
                return f"it is read by {by_query[query]}"
            if query in self.live.queries and query not in self.owned:
                return f"it is used by the query {query}"
        topics = {s.topic: s.name for s in doomed}
        for source in self.live.sources.values():
            if source.name not in mine and source.topic in topics:
                return f"its topic {source.topic} is read by {source.name}"
        return None


def why_not_in_place(old: N.Statement, new: N.Statement) -> str | None:
    """None where CREATE OR REPLACE can take `old` to `new` without losing state; else the reason in words."""
    if isinstance(old, N.CreateSource) and isinstance(new, N.CreateSource):
        if old.properties != new.properties:
            return _properties(old, new)
        if new.columns[: len(old.columns)] != old.columns:
            return "columns change or go"
        return None
    if not isinstance(old, N.CreateAsSelect) or not isinstance(new, N.CreateAsSelect):
        return "it is no longer made in the same way"
    if old.properties != new.properties:
        return _properties(old, new)
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


def _properties(old: N.CreateSource | N.CreateAsSelect, new: N.CreateSource | N.CreateAsSelect) -> str:
    changed = sorted({key for key, _ in set(old.properties) ^ set(new.properties)})
    return f"its WITH clause changes: {', '.join(changed)}"


def _what_changes(old: N.Statement, new: N.Statement) -> str:
    """What CREATE OR REPLACE is for."""
    added: list[str] = []
    words = []
    if isinstance(old, N.CreateSource) and isinstance(new, N.CreateSource):
        added = [c.name for c in new.columns[len(old.columns) :]]
    elif isinstance(old, N.CreateAsSelect) and isinstance(new, N.CreateAsSelect):
        count = len(new.query.select) - len(old.query.select)
        if count:
            words.append(f"{count} column{'s are' if count > 1 else ' is'} added")
        if old.query.where != new.query.where:
            words.append("its filter changes")
    if added:
        words.append(f"added: {', '.join(added)}")
    return " and ".join(words) or "its text changes"


def _topic(statement: N.Statement) -> str:
    return topic_of(statement) or ""


# What a ksqlDB writes into the statement that it repeats, where the user left it out.
_FILLED = frozenset({"KAFKA_TOPIC", "PARTITIONS", "REPLICAS", "RETENTION_MS", "CLEANUP_POLICY"})
_FILLED_SOURCE = _FILLED | {"KEY_FORMAT", "VALUE_FORMAT"}


def _comparable(statement: N.Statement, expected: N.Statement, written: N.Statement) -> N.Statement:
    """Without what the project leaves to the server: unnamed properties, OR REPLACE, IF NOT EXISTS."""
    if not isinstance(statement, N.CreateSource | N.CreateAsSelect):
        return statement
    named = {key for key, _ in getattr(written, "properties", ())}
    own = _FILLED_SOURCE if isinstance(expected, N.CreateSource) else _FILLED
    kept = tuple(
        sorted((p for p in statement.properties if p[0] in named or p[0] not in own), key=lambda p: p[0])
    )
    return replace(statement, properties=kept, or_replace=False, if_not_exists=False)
