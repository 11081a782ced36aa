"""The stages of a plan: one per model, frozen, without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from ksqlkit.project.model import Model


class Action(StrEnum):
    """What a model needs."""

    CREATE = "create"
    UNCHANGED = "unchanged"
    REPLACE = "replace in place"  # CREATE OR REPLACE keeps the state
    RECREATE = "drop and create"  # loses state, reads its sources again
    REJECTED = "rejected"  # the server has something else under that name


class Drop(NamedTuple):
    """A stream, table or type to drop."""

    kind: str
    name: str
    topic: bool = False

    @property
    def sql(self) -> str:
        """The statement that drops it."""
        return f"DROP {self.kind} IF EXISTS `{self.name}`{' DELETE TOPIC' if self.topic else ''};"


@dataclass(frozen=True, slots=True)
class Stage:
    """One model and what has to be done about it.

    `reason` is for people. `terminate` are queries to end first, `drop` what to drop, dependants first: each with
    whether its topic goes too, which holds for what a query of the project wrote.
    """

    model: Model
    action: Action
    reason: str = ""
    terminate: tuple[str, ...] = ()
    drop: tuple[Drop, ...] = ()

    @property
    def sql(self) -> str:
        """The statement that makes the model."""
        if self.action is Action.REPLACE:
            verb, rest = self.model.sql.split(None, 1)
            return f"{verb} OR REPLACE {rest}"
        return self.model.sql
