"""Pull queries asked again: a plan serves all texts that differ only in what keys are compared with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis import trees
from ksqlkit.engine.results import PullResult

if TYPE_CHECKING:
    from ksqlkit.engine.live import LiveContext
    from ksqlkit.engine.pull import Pull

_KEPT: Final = 500  # plans
_SMALL: Final = 16  # keys looked up where nobody may be kept waiting
_UNLIKE: Final = re.compile(r"[\"`$\x00-\x02]|--|/\*")  # where a quote or a number may be no literal
_WHERE: Final = re.compile(r"\bwhere\b", re.IGNORECASE)
_LITERAL: Final = re.compile(r"'((?:[^']|'')*)'|(?<![\w.])(\d{1,18})(?![\w.])")
_SIMPLE: Final = (N.Comparison, N.Logical, N.InList, N.Between, N.ColumnRef)
_LITERALS: Final = (N.StringLiteral, N.IntegerLiteral, N.LongLiteral)
Values = tuple[Any, ...]


def shape(sql: str) -> tuple[str, Values]:
    """The text with the literals of its WHERE left out, and those. Texts of one shape have literals of like types."""
    sql = sql.strip()
    where = None if _UNLIKE.search(sql) else _WHERE.search(sql)
    if where is None or "'" in sql[: where.start()]:
        return sql, ()
    values: list[Any] = []

    def taken(found: re.Match[str]) -> str:
        text, digits = found.groups()
        if digits is None:
            values.append(text.replace("''", "'"))
            return "\x00"
        if found.string[: found.start()].rstrip().endswith("-"):
            return found[0]  # part of a number below zero
        values.append(int(digits))
        return "\x01" if values[-1] < 1 << 31 else "\x02"

    return sql[: where.start()] + _LITERAL.sub(taken, sql[where.start() :]), tuple(values)


class Repeated:
    """The plans of pull queries by key that were asked, as long as catalogue and functions stay what they were."""

    def __init__(self, ctx: LiveContext) -> None:
        self._ctx = ctx
        self._plans: dict[str, tuple[Pull, tuple[int, ...]]] = {}
        self._of: tuple[int, object] = (-1, None)

    def keep(self, sql: str, pull: Pull) -> None:
        """Remember the plan of a query that looks up keys, and which of its literals may be others."""
        if pull.where is None or not pull.by_key:
            return
        text, values = shape(sql)
        walked = list(trees.walk(pull.where))
        literals = [node for node in walked if isinstance(node, _LITERALS)]
        simple = all(isinstance(node, _SIMPLE + _LITERALS) for node in walked)
        if not simple or [node.value for node in literals] != list(values):
            text, literals = sql.strip(), []
        if len(self._plans) >= _KEPT:
            self._plans.clear()
        pull.open_literals(literals)
        self._plans[text] = pull, tuple(map(id, literals))

    def answer(self, sql: str, *, small: bool = False) -> PullResult | None:
        """The rows, where a plan is known; with `small` only where few keys of a table without windows are asked."""
        state = (self._ctx.next_sequence, self._ctx.functions.state)
        if self._of[0] != state[0] or self._of[1] is not state[1]:
            self._plans.clear()
            self._of = state
        if not self._plans:
            return None
        text, values = shape(sql)
        pull, places = self._plans.get(text, (None, ()))
        if pull is None:
            values = ()
            pull, places = self._plans.get(sql.strip(), (None, ()))
        if pull is None or len(places) != len(values) or (small and not pull.is_small(_SMALL)):
            return None
        table = self._ctx.materialization(pull.source.query_id or "")
        return None if table is None else pull.look_up(table, dict(zip(places, values, strict=True)))
