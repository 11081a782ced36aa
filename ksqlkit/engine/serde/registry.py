"""A schema registry in memory: schemas by id, and versions by subject."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

PREFIX: Final = struct.Struct(">BI")  # magic byte 0, schema id
_READERS: Final = 64  # schemas of one topic whose readers are kept
SchemaKind = Literal["AVRO", "JSON", "PROTOBUF"]


@dataclass(frozen=True, slots=True)
class Registered:
    """A schema's text under a subject; `id` is the same wherever the same schema is registered."""

    id: int
    subject: str
    version: int
    kind: SchemaKind
    schema: str
    references: tuple[str, ...] = ()  # texts of the schemas that a PROTOBUF one imports


class SchemaRegistry:
    """Keeps what is registered; `entries()` of one make an equal one."""

    def __init__(self, entries: Iterable[Registered] = ()) -> None:
        self._lock = threading.Lock()
        self._by_id: dict[int, Registered] = {}
        self._subjects: dict[str, list[Registered]] = {}
        for entry in entries:
            self._add(entry)

    def _add(self, entry: Registered) -> Registered:
        self._by_id.setdefault(entry.id, entry)
        self._subjects.setdefault(entry.subject, []).append(entry)
        return entry

    def register(
        self,
        subject: str,
        kind: SchemaKind,
        schema: str,
        *,
        id: int | None = None,
        references: tuple[str, ...] = (),
    ) -> Registered:
        """Register a schema (a new version where the subject has another), with a given id or the next
        one."""
        if kind != "PROTOBUF":
            schema = json.dumps(json.loads(schema), separators=(",", ":"), ensure_ascii=False)
        with self._lock:
            for entry in self._subjects.get(subject, []):
                if (entry.kind, entry.schema) == (kind, schema) and id in (None, entry.id):
                    return entry
            if id is None:
                known = (e.id for e in self._by_id.values() if (e.kind, e.schema) == (kind, schema))
                id = next(known, max(self._by_id, default=0) + 1)
            version = len(self._subjects.get(subject, [])) + 1
            return self._add(Registered(id, subject, version, kind, schema, references))

    def register_again(self, subject: str, entry: Registered) -> Registered:
        """Register a schema that is known under a subject, where it has the id that it has elsewhere."""
        return self.register(subject, entry.kind, entry.schema, id=entry.id, references=entry.references)

    def by_id(self, id: int) -> Registered | None:
        """The schema of that id."""
        return self._by_id.get(id)

    def latest(self, subject: str) -> Registered | None:
        """The newest version of a subject."""
        versions = self._subjects.get(subject)
        return versions[-1] if versions else None

    def subjects(self) -> list[str]:
        """All subjects, sorted."""
        return sorted(self._subjects)

    def delete_subject(self, subject: str) -> list[int]:
        """Forget a subject's versions (ids stay readable); the versions deleted."""
        with self._lock:
            return [entry.version for entry in self._subjects.pop(subject, [])]

    def entries(self) -> list[Registered]:
        """Everything registered, in order of version, and deleted schemas that ids still name."""
        listed = [entry for versions in self._subjects.values() for entry in versions]
        seen = {entry.id for entry in listed}
        return listed + [replace(e) for e in self._by_id.values() if e.id not in seen]

    def fork(self) -> SchemaRegistry:
        """An independent copy, on which statements are tried."""
        return SchemaRegistry(self.entries())


def subject_name(topic: str, *, is_key: bool) -> str:
    """The subject of a topic's keys or values."""
    return f"{topic}-{'key' if is_key else 'value'}"


def split_prefix(data: bytes) -> tuple[int, bytes]:
    """(schema id, payload). Raises ValueError when the magic byte is missing."""
    if len(data) < PREFIX.size or data[0] != 0:
        raise ValueError("Unknown magic byte!")
    return PREFIX.unpack_from(data)[1], data[PREFIX.size :]


def by_prefix(
    learn: Callable[[bytes], Callable[[bytes], tuple[Any, ...] | None]],
    size: int = PREFIX.size,
) -> Callable[[bytes | None], tuple[Any, ...] | None]:
    """A reader of records that asks `learn` for the reader of a record whose prefix is new to it."""
    known: dict[bytes, Callable[[bytes], tuple[Any, ...] | None]] = {}

    def read(data: bytes | None) -> tuple[Any, ...] | None:
        if data is None:
            return None
        found = known.get(data[:size])
        if found is None:
            found = learn(data)
            if len(known) >= _READERS:
                known.pop(next(iter(known)), None)
            known[data[:size]] = found
        return found(data)

    return read
