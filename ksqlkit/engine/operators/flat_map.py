"""Table functions in SELECT: one row per element; several functions advance together, short ones padded with null."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.operators import remote
from ksqlkit.engine.operators.generator import Generator, Scope
from ksqlkit.engine.operators.row import Row
from ksqlkit.engine.operators.text import sql
from ksqlkit.engine.plan.steps import FlatMap


def emit(gen: Generator, step: FlatMap, row: Row, _side: str) -> None:
    """Write a loop over the elements; a function that fails or yields null gives no element."""
    sizes = [len(c.args) for c in step.calls]
    arguments = tuple(a for c in step.calls for a in c.args)

    def explode(inner: Row, scope: Scope, exprs: tuple[N.Expression, ...]) -> None:
        lists, at = [], 0
        for call, size in zip(step.calls, sizes, strict=True):
            lists.append(_call(gen, step, call, inner, scope, exprs[at : at + size]))
            at += size
        made = tuple(gen.fresh("e") for _ in lists)
        if len(lists) == 1:
            header = f"for {made[0]} in {lists[0]}:"
        else:
            header = f"for {', '.join(made)} in {gen.bind(zip_longest, 'zip')}({', '.join(lists)}):"
        names = dict(zip(step.columns, made, strict=True))
        values = tuple(names.get(c.name) or scope[c.name].source for c in step.schema.value)
        with gen.block(header):
            gen.forward(step, replace(inner, values=values))

    remote.staged(gen, step, step.input.schema, row, arguments, explode)


def _call(
    gen: Generator,
    step: FlatMap,
    call: N.FunctionCall,
    row: Row,
    scope: Scope,
    exprs: Sequence[N.Expression],
) -> str:
    types = [gen.type_of(e, scope) for e in exprs]
    resolved = gen.functions.table(call.name, types)
    arguments = ", ".join(gen.expression(e, scope, p) for e, p in zip(exprs, resolved.params, strict=True))
    name = gen.fresh("list")
    fn = gen.bind(_listed(resolved.fn), "table_function")
    with gen.block("try:"):
        gen.line(f"{name} = {fn}({arguments})")
    with gen.block("except Exception as error:"):
        gen.line(f"{name} = ()")
        gen.fail(step, f"Table function {sql(call)} threw an exception", row)
    return name


def _listed(fn: Any) -> Any:
    def rows(*args: Any) -> Iterable[Any]:
        found: Iterable[Any] | None = fn(*args)
        return () if found is None else found

    return rows
