"""Calls of remote functions leave the expressions they stand in: a step below asks for many rows at once.

In a table the answers are kept with the row, so that undoing it, joining it and looking it up ask nothing again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.expressions import split_remote
from ksqlkit.engine.functions.contract import FunctionRegistry
from ksqlkit.engine.plan.steps import (
    Aggregate,
    Filter,
    FlatMap,
    ForeignKeyJoin,
    Project,
    QueryPlan,
    Remote,
    SelectKey,
    Step,
)
from ksqlkit.engine.schema import Column

Exprs = tuple[N.Expression, ...]


def lift_remote(plan: QueryPlan, functions: FunctionRegistry) -> QueryPlan:
    """The plan with a `Remote` step below each step that calls remote functions; itself where none does."""
    root = _Lifter(functions).step(plan.root)
    return plan if root is plan.root else replace(plan, root=root)


class _Lifter:
    def __init__(self, functions: FunctionRegistry) -> None:
        self.functions = functions

    def step(self, step: Step) -> Step:
        """The step with all below it lifted, then its own calls."""
        found = {part: getattr(step, part, None) for part in ("input", "left", "right")}
        changed = {
            part: new
            for part, old in found.items()
            if isinstance(old, Step) and (new := self.step(old)) is not old
        }
        if changed:
            step = replace(step, **changed)  # type: ignore[arg-type]
        match step:
            case Filter():
                return self._filter(step)
            case Project():
                below, value = self._below(step.input, step.name, step.value)
                return step if below is step.input else replace(step, input=below, value=value)
            case SelectKey():
                below, key = self._below(step.input, step.name, step.key)
                return step if below is step.input else replace(step, input=below, key=key)
            case FlatMap():
                below, args = self._below(step.input, step.name, [a for c in step.calls for a in c.args])
                given = iter(args)
                calls = tuple(replace(c, args=tuple(next(given) for _ in c.args)) for c in step.calls)
                return step if below is step.input else replace(step, input=below, calls=calls)
            case ForeignKeyJoin():
                below, (foreign,) = self._below(step.left, step.name, (step.foreign_key,))
                return step if below is step.left else replace(step, left=below, foreign_key=foreign)
            case Aggregate():
                return self._aggregate(step)
        return step

    def _below(self, below: Step, name: str, exprs: Sequence[N.Expression]) -> tuple[Step, Exprs]:
        """What stands below a step, and its expressions without calls."""
        types = {c.name: c.type for c in below.schema.columns}
        stages, rest = split_remote(exprs, self.functions, types)
        if not stages:
            return below, tuple(exprs)
        columns = tuple(Column(s.column, s.type) for s in stages)
        schema = replace(below.schema, value=(*below.schema.value, *columns))
        return Remote(f"{name}-Remote", schema, below, tuple(stages), name), tuple(rest)

    def _filter(self, step: Filter) -> Step:
        """Rows leave with the columns they had, which the next steps count on."""
        below, (predicate,) = self._below(step.input, step.name, (step.predicate,))
        if below is step.input:
            return step
        passed = replace(step, input=below, predicate=predicate, schema=below.schema)
        key, value = (
            tuple(N.ColumnRef(c.name) for c in side) for side in (step.schema.key, step.schema.value)
        )
        return Project(f"{step.name}-Kept", step.schema, passed, key, value)

    def _aggregate(self, step: Aggregate) -> Aggregate:
        """Calls in GROUP BY and in arguments go below the GROUP BY, which carries the arguments' columns on."""
        group = step.input
        args = [a for call in step.calls for a in call.args]
        below, exprs = self._below(group.input, group.name, (*group.by, *args))
        if below is group.input:
            return step
        known = set(group.input.schema.value)
        value = (*group.schema.value, *(c for c in below.schema.value if c not in known))
        by, given = exprs[: len(group.by)], iter(exprs[len(group.by) :])
        grouped = replace(group, input=below, by=by, schema=replace(group.schema, value=value))
        calls = tuple(replace(call, args=tuple(next(given) for _ in call.args)) for call in step.calls)
        return replace(step, input=grouped, calls=calls)
