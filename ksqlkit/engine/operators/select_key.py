"""PARTITION BY, and the new key of a join's input: rows go on in the task their new key belongs to."""

from __future__ import annotations

from dataclasses import replace

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.catalog import Format
from ksqlkit.engine.operators import remote
from ksqlkit.engine.operators.generator import Generator, Scope
from ksqlkit.engine.operators.row import Row, tuple_text
from ksqlkit.engine.operators.text import sql
from ksqlkit.engine.plan.steps import SelectKey, SourceStep, Step
from ksqlkit.engine.schema import Schema


def emit(gen: Generator, step: SelectKey, row: Row, _side: str) -> None:
    """Write the new key; a key that cannot be computed is null, and the failure is reported."""

    def rekey(inner: Row, scope: Scope, exprs: tuple[N.Expression, ...]) -> None:
        key = _keys(gen, step, inner, scope, exprs)
        values = gen.pick(_input(step), inner, [c for c in step.schema.value if scope.get(c.name)])
        missing = [i for i, c in enumerate(step.schema.value) if c.name not in scope]
        for i in missing:  # the new key column under its name, as a value
            values = (*values[:i], key[_key_index(step, step.schema.value[i].name)], *values[i:])
        _forward(gen, step, replace(inner, values=values), key)

    def without_value(inner: Row) -> None:
        if step.drop_null:
            return
        known = {c.name: t for c, t in zip(_input(step).key, inner.key, strict=True)}
        plain = all(isinstance(e, N.ColumnRef) and e.name in known for e in step.key)
        key = tuple(known[e.name] if plain and isinstance(e, N.ColumnRef) else "None" for e in step.key)
        _forward(gen, step, inner, key)

    remote.staged(gen, step, _input(step), row, step.key, rekey, without_value)


def _input(step: SelectKey) -> Schema:
    return step.input.schema


def _key_index(step: SelectKey, name: str) -> int:
    return next(i for i, c in enumerate(step.schema.key) if c.name == name)


def _keys(
    gen: Generator, step: SelectKey, row: Row, scope: Scope, exprs: tuple[N.Expression, ...]
) -> tuple[str, ...]:
    texts = []
    for original, expr, column in zip(step.key, exprs, step.schema.key, strict=False):
        text = gen.expression(expr, scope, column.type)
        if not text.isidentifier() or text == "None":
            name = gen.fresh("k")
            with gen.block("try:"):
                gen.line(f"{name} = {text}")
            with gen.block("except Exception as error:"):
                gen.line(f"{name} = None")
                gen.fail(step, f"Error computing new key from expression {sql(original)}", row)
            text = name
        texts.append(text)
    return tuple(texts)


def _forward(gen: Generator, step: SelectKey, row: Row, key: tuple[str, ...]) -> None:
    if not step.schema.key:  # PARTITION BY NULL
        gen.forward(step, replace(row, key=(), key_tuple="None", key_nullable=True))
        return
    rekeyed = replace(row, key=key, key_tuple=tuple_text(key), key_nullable=False)
    fmt = routing_format(gen, step)

    def go_on(inner: Row) -> None:
        gen.forward(step, inner)

    if step.drop_null:
        # Kafka Streams lets rows without a key through to a join, which decides what becomes of them.
        present = " and ".join(f"{k} is not None" for k in key)
        text = f"({tuple_text(key)} if {present} else None)"
        rekeyed = replace(rekeyed, key_tuple=text, key_nullable=True)
    gen.route(step, rekeyed, fmt, step.schema.key, go_on)


def routing_format(gen: Generator, step: SelectKey) -> Format:
    """The key format whose bytes decide the task: that of the first source that keeps its own key, so that both sides
    of a join meet; else the sink's."""

    def sources(at: Step) -> list[SourceStep]:
        if isinstance(at, SelectKey):
            return []
        if isinstance(at, SourceStep):
            return [at]
        return [s for child in at.inputs for s in sources(child)]

    kept = sources(gen.plan.root)
    if kept:
        return kept[0].source.key_format
    first = next(s for s in gen.steps if isinstance(s, SourceStep))
    return first.source.key_format
