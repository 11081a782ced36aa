"""SELECT: new value columns. A column whose expression fails is null, and the failure is reported."""

from __future__ import annotations

from dataclasses import replace

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.operators.generator import Generator
from ksqlkit.engine.operators.row import Row, tuple_text
from ksqlkit.engine.operators.text import sql
from ksqlkit.engine.plan.steps import Project


def emit(gen: Generator, step: Project, row: Row, _side: str) -> None:
    """Write the expressions; plain columns cost nothing."""
    if row.change is not None:
        _packed(gen, step, row)
        return

    values = None if row.values is None else _select(gen, step, row)
    gen.forward(step, replace(_rekeyed(step, row), values=values))


def _rekeyed(step: Project, row: Row) -> Row:
    """The same key under its new names (or fewer of them)."""
    position = {c.name: i for i, c in enumerate(step.input.schema.key)}
    order = [position[e.name] for e in step.key if isinstance(e, N.ColumnRef)]
    if order == list(range(len(row.key))):
        return row
    key = tuple(row.key[i] for i in order)
    return replace(row, key=key, key_tuple=tuple_text(key) if key else "None", key_nullable=not key)


def _select(gen: Generator, step: Project, row: Row) -> tuple[str, ...]:
    """Write the computed columns; returns the text of every column."""
    scope = gen.scope(step.input.schema, row)
    texts: list[str] = []
    computed: list[tuple[str, str, str]] = []
    for index, (expr, column) in enumerate(zip(step.value, step.schema.value, strict=True)):
        text = gen.expression(expr, scope, column.type)
        if isinstance(expr, N.ColumnRef) and text == scope[expr.name].source:
            texts.append(text)
        else:
            texts.append(gen.fresh("x"))
            computed.append((texts[-1], text, _message(step, index)))
    gen.attempt_all(computed, step, row)
    return tuple(texts)


def _message(step: Project, index: int) -> str:
    column = step.schema.value[index].name
    return f"Error computing expression {sql(step.value[index])} for column {column} with index {index}"


def _selector(gen: Generator, step: Project) -> str:
    """A function (key columns ..., row) -> new packed row."""
    name = f"select_{gen.index(step)}"
    if name not in gen.defined:
        gen.defined.add(name)
        with gen.over_row(name, step.input.schema) as row:
            values = _select(gen, step, row)
            gen.line(f"return {tuple_text(values)}")
    return name


def _packed(gen: Generator, step: Project, row: Row) -> None:
    assert row.change is not None
    select = _selector(gen, step)
    keys = "".join(f"{k}, " for k in row.key)
    made = []
    for text in row.change:
        if text == "None":
            made.append(text)
            continue
        name = gen.fresh("row")
        gen.line(f"{name} = None if {text} is None else {select}({keys}{text})")
        made.append(name)
    gen.forward_change(step, replace(_rekeyed(step, row), change=(made[0], made[1])))


def view(gen: Generator, step: Project, name: str) -> None:
    """The input's row, projected."""
    select = _selector(gen, step)
    with gen.over_view(name, step.input) as (keys, values, timestamp):
        gen.line(f"return {select}({''.join(f'{k}, ' for k in keys)}{values}), {timestamp}")
