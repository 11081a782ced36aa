"""A rendered project as frozen data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ksqlkit.dialect import nodes as N
from ksqlkit.errors import Location


@dataclass(frozen=True, slots=True)
class Model:
    """One statement of the project.

    `name` is the stream, table or type it makes ("INSERT INTO target (file:line)" for INSERT ... SELECT);
    `sql`
    its text; `line`, `column` where it starts in its file's rendered text; `parents` the names it stands on.
    """

    name: str
    kind: str  # STREAM, TABLE, TYPE or INSERT
    sql: str
    statement: N.Statement
    file: Path
    line: int
    column: int
    parents: tuple[str, ...]
    location: Location
    fingerprint: str = ""

    @property
    def derived(self) -> bool:
        """Whether a query keeps it filled."""
        return isinstance(self.statement, N.CreateAsSelect | N.InsertInto)


@dataclass(frozen=True, slots=True)
class Project:
    """All models in an order in which they can be created."""

    name: str
    root: Path
    models: tuple[Model, ...]

    def by_name(self) -> Mapping[str, Model]:
        """Models by name."""
        return {m.name: m for m in self.models}

    def children(self, name: str) -> list[Model]:
        """Models that stand on `name`, directly or not, in creation order."""
        reached = {name}
        found = []
        for model in self.models:
            if reached & set(model.parents):
                reached.add(model.name)
                found.append(model)
        return found


def fingerprint(sql: str, parents: list[str]) -> str:
    """SHA-256 of a statement's canonical text and its parents' fingerprints, hexadecimal."""
    digest = hashlib.sha256(sql.encode())
    for parent in parents:
        digest.update(b"\0" + parent.encode())
    return digest.hexdigest()
