"""The stages of a plan: one per model, frozen, without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ksqlkit.project.model import Model


class Action(StrEnum):
    """What a model needs."""

    CREATE = "create"
    UNCHANGED = "unchanged"
    REPLACE = "replace in place"  # CREATE OR REPLACE keeps the state
    RECREATE = "drop and create"  # loses state, reads its sources again
    REJECTED = "rejected"  # the server has something else under that name


@dataclass(frozen=True, slots=True)
class Stage:
    """One model and what has to be done about it.

    `reason` is for people. `terminate` are queries to end first, `drop` sources to drop, dependants first.
    """

    model: Model
    action: Action
    reason: str = ""
    terminate: tuple[str, ...] = ()
    drop: tuple[tuple[str, str], ...] = ()  # (STREAM or TABLE, name)

    @property
    def sql(self) -> str:
        """The statement that makes the model."""
        if self.action is Action.REPLACE:
            verb, rest = self.model.sql.split(None, 1)
            return f"{verb} OR REPLACE {rest}"
        return self.model.sql
