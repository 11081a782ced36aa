"""A stream's rows, each with the table's current row of its key."""

from __future__ import annotations

from dataclasses import replace

from ksqlkit.engine.operators.generator import Generator
from ksqlkit.engine.operators.merging import from_packed, joined, side_columns, spread
from ksqlkit.engine.operators.row import Row, tuple_text
from ksqlkit.engine.plan.steps import StreamTableJoin


def emit(gen: Generator, step: StreamTableJoin, row: Row, side: str) -> None:
    """Left: look up and go on; the time is the stream row's. Right: the table's source has kept the row already."""
    if side == "right" or row.values is None:
        return
    look_up = gen.view(step.right)
    hashed = gen.hashed(step.left.schema, row)
    found, match = gen.fresh("found"), gen.fresh("match")
    missing = " or ".join(f"{k} is None" for k in row.key)
    gen.line(f"{found} = None if {missing} else {look_up}({hashed})")
    gen.line(f"{match} = None if {found} is None else {found}[0]")
    if step.type == "INNER":
        with gen.block(f"if {match} is not None:"):
            _join(gen, step, row, match)
    else:
        _join(gen, step, row, match)


def _join(gen: Generator, step: StreamTableJoin, row: Row, match: str) -> None:
    values = from_packed(gen, step.right, match)
    keys = tuple(f"({k} if {match} is not None else None)" for k in row.key)
    left = side_columns(step.left.schema, row.key, spread(row))
    right = side_columns(step.right.schema, keys, values)
    result = joined(step, row.key, left, right)
    key = row.key
    gen.forward(step, replace(row, key=key, key_tuple=row.key_tuple or tuple_text(key), values=result))
