"""How joins make one row of two: columns by name from either side, all null for a side without a row."""

from __future__ import annotations

from ksqlkit.engine.operators.generator import Generator
from ksqlkit.engine.operators.row import Row, tuple_text
from ksqlkit.engine.plan.steps import ForeignKeyJoin, Step, StreamStreamJoin, StreamTableJoin, TableTableJoin
from ksqlkit.engine.schema import Schema

Join = StreamStreamJoin | StreamTableJoin | TableTableJoin | ForeignKeyJoin


def side_columns(schema: Schema, key: tuple[str, ...], values: tuple[str, ...]) -> dict[str, str]:
    """Column name -> text, for one side."""
    return dict(zip((c.name for c in schema.columns), (*key, *values), strict=True))


def joined(step: Join, key: tuple[str, ...], left: dict[str, str], right: dict[str, str]) -> tuple[str, ...]:
    """The texts of the join's value columns; those of no side's are the join key."""
    found = {**dict(zip((c.name for c in step.schema.key), key, strict=True)), **left, **right}
    return tuple(found[c.name] for c in step.schema.value)


def nothing(schema: Schema) -> dict[str, str]:
    """A side without a row."""
    return {c.name: "None" for c in schema.columns}


def from_packed(gen: Generator, side: Step, row: str) -> tuple[str, ...]:
    """Spread a side's packed row, or nulls where the variable holds None."""
    count = len(side.schema.value)
    empty = tuple_text(("None",) * count)
    return gen.unpack(f"{row} if {row} is not None else {empty}", count)


def joiner(gen: Generator, step: Join) -> str:
    """A function (key columns of the left ..., left row, right row[, right's key columns]) -> packed row of the join.

    Either row may be None; then that side's columns, its keys too, are null.
    """
    name = f"join_{gen.index(step)}"
    if name in gen.defined:
        return name
    gen.defined.add(name)
    foreign = isinstance(step, ForeignKeyJoin)
    keys = tuple(gen.fresh("k") for _ in step.left.schema.key)
    others = tuple(gen.fresh("f") for _ in step.right.schema.key) if foreign else keys
    params = (*keys, "left", "right", *(others if foreign else ()))
    with gen.function(f"def {name}({', '.join(params)}):"):
        sides = []
        for side, text, own in ((step.left, "left", keys), (step.right, "right", others)):
            values = from_packed(gen, side, text)
            present = tuple(gen.fresh("k") for _ in own)
            for made, key in zip(present, own, strict=True):
                gen.line(f"{made} = {key} if {text} is not None else None")
            sides.append(side_columns(side.schema, present, values))
        gen.line(f"return {tuple_text(joined(step, keys, sides[0], sides[1]))}")
    return name


def spread(row: Row) -> tuple[str, ...]:
    """The values of a spread row."""
    assert row.values is not None
    return row.values
