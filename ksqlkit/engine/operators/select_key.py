"""PARTITION BY, and the new key of a join's input: rows go on in the task their new key belongs to."""

from __future__ import annotations

from dataclasses import replace

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis.trees import walk
from ksqlkit.engine.catalog import Format
from ksqlkit.engine.expressions import Variable
from ksqlkit.engine.operators.generator import Generator, Scope
from ksqlkit.engine.operators.row import Row, tuple_text
from ksqlkit.engine.operators.text import sql
from ksqlkit.engine.plan.formats import INFERS_SCHEMA
from ksqlkit.engine.plan.steps import SelectKey, SourceStep, Step
from ksqlkit.engine.schema import Schema
from ksqlkit.engine.state.table_store import TableStore


def emit(gen: Generator, step: SelectKey, row: Row, _side: str) -> None:
    """Write the new key; a key that cannot be computed is null, and the failure is reported."""

    if row.change is not None:
        _table(gen, step, row)
        return

    if row.values is not None:
        scope = gen.scope(_input(step), row)
        key = _keys(gen, step, row, scope, step.key)
        new = dict(zip((c.name for c in step.schema.key), key, strict=True))
        values = tuple(scope[c.name].source if c.name in scope else new[c.name] for c in step.schema.value)
        _forward(gen, step, replace(row, values=values), key)
    elif not step.drop_null:
        # Expressions over the key alone still have a value; the others are null.
        known = {c.name: Variable(t, c.type) for c, t in zip(_input(step).key, row.key, strict=True)}
        key = tuple(
            _keys(gen, step, row, known, (expr,), index)[0] if _columns(expr) <= known.keys() else "None"
            for index, expr in enumerate(step.key[: len(step.schema.key)])
        )
        _forward(gen, step, row, key)


def _columns(expr: N.Expression) -> set[str]:
    return {node.name for node in walk(expr) if isinstance(node, N.ColumnRef)}


def _input(step: SelectKey) -> Schema:
    return step.input.schema


def _keys(
    gen: Generator,
    step: SelectKey,
    row: Row,
    scope: Scope,
    exprs: tuple[N.Expression, ...],
    first: int = 0,
) -> tuple[str, ...]:
    """Write the key columns from `first` on."""
    return tuple(
        gen.attempt_key(
            expr, column, scope, step, f"Error computing new key from expression {sql(step.key[index])}", row
        )
        for index, (expr, column) in enumerate(zip(exprs, step.schema.key[first:], strict=False), first)
    )


def _table(gen: Generator, step: SelectKey, row: Row) -> None:
    """A table whose key only changes its format: it is kept again in the task of the new bytes."""
    assert row.change is not None
    known = dict(zip((c.name for c in _input(step).key), row.key, strict=True))
    key = tuple(known[e.name] for e in step.key if isinstance(e, N.ColumnRef))
    rekeyed = replace(row, key=key, key_tuple=tuple_text(key), change=(row.change[0], "None"))
    store = _kept(gen, step)

    def keep(inner: Row) -> None:
        assert inner.change is not None
        hashed = gen.named(gen.hashed(step.schema, inner), "hashed")
        new, old = inner.change[0], gen.fresh("old")
        gen.line(f"{old} = ({store}.data.get({hashed}) or (None,))[0]")
        gen.line(f"{store}.put({hashed}, None if {new} is None else ({new}, {inner.timestamp}))")
        gen.forward_change(step, replace(inner, change=(new, old)))

    fmt, count = routing(gen)
    gen.route(step, rekeyed, fmt, keep, count=count)


def _kept(gen: Generator, step: SelectKey) -> str:
    name = f"store_{gen.index(step)}"
    if name not in gen.defined:
        gen.defined.add(name)
        gen.store(step, TableStore)
    return name


def view(gen: Generator, step: SelectKey, name: str) -> None:
    """The row under the key's new format."""
    store = _kept(gen, step)
    with gen.function(f"def {name}(key):"):
        gen.line(f"return {store}.data.get(key)")


def _forward(gen: Generator, step: SelectKey, row: Row, key: tuple[str, ...]) -> None:
    if not step.schema.key:  # PARTITION BY NULL
        gen.forward(step, replace(row, key=(), key_tuple="None", key_nullable=True))
        return
    rekeyed = replace(row, key=key, key_tuple=tuple_text(key), key_nullable=False)
    fmt, count = routing(gen)

    def go_on(inner: Row) -> None:
        gen.forward(step, inner)

    if step.drop_null:
        # Kafka Streams lets rows without a key through to a join, which decides what becomes of them.
        present = " and ".join(f"{k} is not None" for k in key)
        text = f"({tuple_text(key)} if {present} else None)"
        rekeyed = replace(rekeyed, key_tuple=text, key_nullable=True)
    gen.route(step, rekeyed, fmt, go_on, count=count)


def routing(gen: Generator) -> tuple[Format, int]:
    """The key format and the number of partitions that decide a new key's task: those of the first source that keeps
    its own key, so that both sides of a join meet; else the first source's format over all tasks (JSON where that one
    has no keys, or bytes that differ by schema id)."""

    def keeping(at: Step) -> list[SourceStep]:
        if isinstance(at, SelectKey):
            return []
        if isinstance(at, SourceStep):
            return [at]
        return [s for child in at.inputs for s in keeping(child)]

    kept = keeping(gen.plan.root)
    if kept:
        return kept[0].source.key_format, gen.counts[kept[0].source.topic]
    first = next(s for s in gen.steps if isinstance(s, SourceStep))
    fmt = first.source.key_format
    return Format("JSON") if fmt.name == "NONE" or fmt.name in INFERS_SCHEMA else fmt, gen.partitions
