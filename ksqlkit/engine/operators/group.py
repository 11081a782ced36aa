"""GROUP BY: the key of an aggregate. Rows in which a key column is null are dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ksqlkit.engine.operators.generator import Generator, Scope
from ksqlkit.engine.operators.row import Row, tuple_text
from ksqlkit.engine.plan.steps import Aggregate, GroupBy

FAILED = "Error calculating group-by column with index {}. The source row will be excluded from the table."


def emit(gen: Generator, step: GroupBy, row: Row, _side: str) -> None:
    """Streams: write the key and go on in its task. Tables: take the row from its old group, add it to the new one."""
    if row.change is not None:
        _table(gen, step, row)
        return

    if row.values is None:
        return
    scope = gen.scope(step.input.schema, row)
    key = _keys(gen, step, row, scope)
    rekeyed = replace(
        row,
        key=key,
        key_tuple=tuple_text(key),
        key_nullable=False,
        window=None,
        values=_values(step, scope, key),
    )
    if not step.rekey:  # the record's key, of which single columns may be null
        with gen.block(f"if {row.key_tuple} is not None:"):
            gen.forward(step, rekeyed)
        return
    with gen.block(f"if {' and '.join(f'{k} is not None' for k in dict.fromkeys(key))}:"):
        gen.route(step, rekeyed, _aggregate(gen, step).key_format, _next(gen, step))
    with gen.block("else:"):
        _exclude(gen, step, row, key)


def _exclude(gen: Generator, step: GroupBy, row: Row, key: tuple[str, ...]) -> None:
    assert row.values is not None
    gen.line(f"env.exclude({step.name!r}, {tuple_text(key)}, {tuple_text((*row.values, *row.key))})")


def _next(gen: Generator, step: GroupBy) -> Callable[[Row], None]:
    return lambda row: gen.forward(step, row)


def _aggregate(gen: Generator, step: GroupBy) -> Aggregate:
    parent = gen.parent[id(step)][0]
    assert isinstance(parent, Aggregate)
    return parent


def _values(step: GroupBy, scope: Scope, key: tuple[str, ...]) -> tuple[str, ...]:
    named = dict(zip((c.name for c in step.schema.key), key, strict=True))
    return tuple(scope[c.name].source if c.name in scope else named[c.name] for c in step.schema.value)


def _keys(gen: Generator, step: GroupBy, row: Row, scope: Scope) -> tuple[str, ...]:
    return tuple(
        gen.attempt_key(expr, column, scope, step, FAILED.format(index), row)
        for index, (expr, column) in enumerate(zip(step.by, step.schema.key, strict=True))
    )


def _grouper(gen: Generator, step: GroupBy) -> str:
    """A function (key columns ..., row) -> (group key, group row), or None for a null key."""
    name = f"group_{gen.index(step)}"
    if name not in gen.defined:
        gen.defined.add(name)
        with gen.over_row(name, step.input.schema) as row:
            scope = gen.scope(step.input.schema, row)
            key = _keys(gen, step, row, scope)
            with gen.block(f"if {' or '.join(f'{k} is None' for k in key)}:"):
                _exclude(gen, step, row, key)
                gen.line("return None")
            gen.line(f"return {tuple_text(key)}, {tuple_text(_values(step, scope, key))}")
    return name


def regroup(new: Any, old: Any) -> tuple[Any, ...]:
    """(group key, new row, old row) for each group that a table's change touches, the old group first."""
    if new is None:
        return () if old is None else ((old[0], None, old[1]),)
    if old is None:
        return ((new[0], new[1], None),)
    if new[0] == old[0]:
        return ((new[0], new[1], old[1]),)
    return (old[0], None, old[1]), (new[0], new[1], None)


def _table(gen: Generator, step: GroupBy, row: Row) -> None:
    assert row.change is not None
    group = _grouper(gen, step)
    keys = "".join(f"{k}, " for k in row.key)
    sides = []
    for text in row.change:
        name = gen.fresh("side")
        gen.line(f"{name} = None if {text} is None else {group}({keys}{text})")
        sides.append(name)
    key, new, old = gen.fresh("key"), gen.fresh("new"), gen.fresh("old")
    with gen.block(f"for {key}, {new}, {old} in {gen.bind(regroup, 'regroup')}({', '.join(sides)}):"):
        parts = tuple(f"{key}[{i}]" for i in range(len(step.schema.key)))
        grouped = replace(row, key=parts, key_tuple=key, change=(new, old), window=None, key_nullable=False)
        gen.route(step, grouped, _aggregate(gen, step).key_format, _next(gen, step))
