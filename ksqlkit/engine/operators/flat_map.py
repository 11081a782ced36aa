"""Table functions in SELECT: one row per element; several functions advance together, short ones padded with null."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.operators.generator import Generator, Scope
from ksqlkit.engine.operators.row import Row
from ksqlkit.engine.operators.text import sql
from ksqlkit.engine.plan.steps import FlatMap


def emit(gen: Generator, step: FlatMap, row: Row, _side: str) -> None:
    """Write a loop over the elements; a function that fails or yields null gives no element."""
    if row.values is None:
        return
    scope = gen.scope(step.input.schema, row)
    lists = [_call(gen, step, call, row, scope) for call in step.calls]
    made = tuple(gen.fresh("e") for _ in lists)
    if len(lists) == 1:
        header = f"for {made[0]} in {lists[0]}:"
    else:
        header = f"for {', '.join(made)} in {gen.bind(zip_longest, 'zip')}({', '.join(lists)}):"
    names = dict(zip(step.columns, made, strict=True))
    values = tuple(names.get(c.name) or scope[c.name].source for c in step.schema.value)
    with gen.block(header):
        gen.forward(step, replace(row, values=values))


def _call(gen: Generator, step: FlatMap, call: N.FunctionCall, row: Row, scope: Scope) -> str:
    types = [gen.type_of(e, scope) for e in call.args]
    resolved = gen.functions.table(call.name, types)
    arguments = ", ".join(
        gen.expression(e, scope, p) for e, p in zip(call.args, resolved.params, strict=True)
    )
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
