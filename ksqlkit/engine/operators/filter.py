"""WHERE and HAVING: rows whose predicate is null or fails are dropped; a table's row that stops matching is deleted."""

from __future__ import annotations

from dataclasses import replace

from ksqlkit.dialect import types as T
from ksqlkit.engine.operators.generator import Generator
from ksqlkit.engine.operators.row import Row
from ksqlkit.engine.operators.text import sql
from ksqlkit.engine.plan.steps import Filter


def emit(gen: Generator, step: Filter, row: Row, _side: str) -> None:
    """Write the test around the next step's code."""
    if row.change is not None:
        _packed(gen, step, row)
        return
    if row.values is None:
        return  # a stream's filter drops records without a value

    _test(gen, step, row)
    with gen.block("if keep:"):
        gen.forward(step, row)


def _test(gen: Generator, step: Filter, row: Row) -> None:
    """Write `keep`."""
    with gen.block("try:"):
        gen.line(f"keep = {gen.expression(step.predicate, gen.scope(step.input.schema, row), T.BOOLEAN)}")
    with gen.block("except Exception as error:"):
        gen.fail(step, f"Error evaluating predicate {sql(step.predicate)}", row)
        gen.line("keep = False")


def _predicate(gen: Generator, step: Filter) -> str:
    """A function (key columns ..., row) -> whether the packed row matches."""
    name = f"matches_{gen.index(step)}"
    if name not in gen.defined:
        gen.defined.add(name)
        with gen.over_row(name, step.input.schema) as row:
            _test(gen, step, row)
            gen.line("return keep")
    return name


def _packed(gen: Generator, step: Filter, row: Row) -> None:
    """Kafka Streams' table filter: without a matching old row, a row that does not match is not even a tombstone."""
    assert row.change is not None
    matches = _predicate(gen, step)
    new, old = row.change
    keys = "".join(f"{k}, " for k in row.key)
    kept = gen.fresh("new")
    gen.line(f"{kept} = {new} if {new} is not None and {matches}({keys}{new}) else None")
    before = "None"
    if old != "None":
        before = gen.fresh("old")
        gen.line(f"{before} = {old} if {old} is not None and {matches}({keys}{old}) else None")
    result = replace(row, change=(kept, before))
    if old == "None":
        gen.forward_change(step, result)
    else:
        with gen.block(f"if {kept} is not None or {before} is not None:"):
            gen.forward_change(step, result)


def view(gen: Generator, step: Filter, name: str) -> None:
    """The input's row where it matches."""
    matches = _predicate(gen, step)
    with gen.over_view(name, step.input) as (keys, values, _):
        gen.line(f"return found if {matches}({''.join(f'{k}, ' for k in keys)}{values}) else None")
