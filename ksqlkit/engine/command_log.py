"""The command log: statements in the log's metadata, with the topics each was decided on, replayed at start.

What became of sources, types and queries that are gone is forgotten: a command stays as long as something that is
there was made or changed by it, or by a command that names it. The number that the next command gets is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ksqlkit.engine.catalog import Catalog
from ksqlkit.engine.log.protocol import Commit, Log, TopicInfo

_COMMAND: Final = "command/"
_NEXT: Final = "next-command"
_NAMES: Final = re.compile(r"`((?:[^`]|``)+)`|\"((?:[^\"]|\"\")+)\"|([A-Za-z_][\w@-]*)")


Lives = frozenset[int]


@dataclass(frozen=True, slots=True)
class Command:
    """A statement as written, its number, the request's settings, and facts about topics."""

    sequence: int
    sql: str
    overrides: Mapping[str, Any]
    topics: tuple[TopicInfo, ...]

    @property
    def name(self) -> str:
        """The entry's name in the metadata."""
        return f"{_COMMAND}{self.sequence:012d}"

    @property
    def mentions(self) -> frozenset[str]:
        """All that may be a name of a source, a type or a query."""
        found = _NAMES.findall(self.sql)
        return frozenset(back or quoted or plain.upper() for back, quoted, plain in found)


def write(log: Log, command: Command) -> None:
    """Add a command."""
    topics = {t.name: [t.partitions, t.replicas, [list(c) for c in t.config]] for t in command.topics}
    entry = {
        "sequence": command.sequence,
        "sql": command.sql,
        "overrides": dict(command.overrides),
        "topics": topics,
    }
    log.commit(Commit(meta={command.name: orjson.dumps(entry)}))


def read(log: Log) -> tuple[list[Command], int]:
    """All commands in order, and the number that the next one has at least."""
    meta = log.load_meta()
    found = []
    for name, content in sorted(meta.items()):
        if name.startswith(_COMMAND):
            entry = orjson.loads(content)
            topics = tuple(
                TopicInfo(topic, partitions, replicas, tuple(map(tuple, config)))
                for topic, (partitions, replicas, config) in entry["topics"].items()
            )
            found.append(Command(entry["sequence"], entry["sql"], entry["overrides"], topics))
    return found, int(meta.get(_NEXT, b"0"))


def forget(log: Log, commands: Iterable[Command], following: int) -> None:
    """Remove commands; the next one will have the number `following`."""
    gone: dict[str, bytes | None] = {command.name: None for command in commands}
    log.commit(Commit(meta={**gone, _NEXT: str(following).encode()}))


class History:
    """What each command of a replay made, changed or ended."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}  # what is there now, by kind and name
        self._queries: dict[str, object] = {}
        self._life: dict[str, int] = {}  # which life of that name it is
        self._lives = 0
        self._done: list[tuple[Command, Lives, Lives]] = []  # with lives changed, lives named

    def note(self, command: Command, catalog: Catalog, queries: Mapping[str, object]) -> None:
        """Compare with what was there before the command. Sources and types that change are always named in it."""
        mentions = command.mentions
        kinds = ("source", "type", "query")
        named = {self._life[key] for n in mentions for k in kinds if (key := f"{k} {n}") in self._life}
        changed = set()
        for name in mentions:
            source = catalog.sources.get(name)
            found = source and (source, catalog.references.get(name))
            changed |= self._put(f"source {name}", found)
            changed |= self._put(f"type {name}", catalog.types.get(name))
        if queries != self._queries:
            for name in {**self._queries, **queries}:
                changed |= self._put(f"query {name}", queries.get(name))
            self._queries = dict(queries)
        self._done.append((command, frozenset(changed), frozenset(named)))

    def _put(self, key: str, found: Any) -> set[int]:
        """Take in what is there now, or None; the life that this changes."""
        before = self._known.get(key)
        if before == found:
            return set()
        if before is None:
            self._lives += 1
            self._life[key] = self._lives
        if found is None:
            del self._known[key]
            return {self._life.pop(key)}
        self._known[key] = found
        return {self._life[key]}

    def needless(self) -> list[Command]:
        """Commands without which a replay ends the same."""
        needed = set(self._life.values())
        rest = self._done
        while kept := [(changed, named) for _, changed, named in rest if changed & needed]:
            rest = [entry for entry in rest if not entry[1] & needed]
            for changed, named in kept:
                needed |= changed | named
        return [command for command, _, _ in rest]
