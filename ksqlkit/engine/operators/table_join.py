"""Joins of tables on their primary keys: a change of either side looks up the other and emits what the row is now."""

from __future__ import annotations

from dataclasses import replace

from ksqlkit.engine.operators.generator import Generator
from ksqlkit.engine.operators.merging import joiner
from ksqlkit.engine.operators.row import Row
from ksqlkit.engine.plan.steps import TableTableJoin


def outer(step: TableTableJoin, side: str) -> bool:
    """Whether rows of that side come out without a partner."""
    return step.type == "FULL" or step.type == side.upper()


def emit(gen: Generator, step: TableTableJoin, row: Row, side: str) -> None:
    """Kafka Streams' KTable joins: inner, left and outer, a right join being a left join of swapped sides."""
    new, old = gen.packed(row)
    other_side = "right" if side == "left" else "left"
    other = step.right if side == "left" else step.left
    found, match, moment = gen.fresh("found"), gen.fresh("match"), gen.fresh("now")
    gen.line(f"{found} = {gen.view(other)}({gen.hashed(step.schema, row)})")
    merge = joiner(gen, step)
    keys = "".join(f"{k}, " for k in row.key)

    def pair(mine: str) -> str:
        sides = (mine, match) if side == "left" else (match, mine)
        return f"{merge}({keys}{sides[0]}, {sides[1]})"

    mine_alone, other_alone = outer(step, side), outer(step, other_side)
    gen.line(f"{match}, {moment} = {found} if {found} is not None else (None, -1)")
    gen.line(f"if {row.timestamp} > {moment}: {moment} = {row.timestamp}")
    if not mine_alone:
        condition = f"{match} is not None"
    else:
        condition = f"{match} is not None or {new} is not None or {old} is not None"
    with gen.block(f"if {condition}:"):
        results = []
        for text in (new, old if gen.wants_old(step) else "None"):
            if text == "None" and not other_alone:
                results.append("None")
                continue
            made = gen.fresh("joined")
            # With an outer join on the other side, its row alone is a result too.
            present = f"{text} is not None" + (f" or {match} is not None" if other_alone else "")
            gen.line(f"{made} = {pair(text)} if {present} else None")
            results.append(made)
        gen.forward_change(
            step,
            replace(row, values=None, timestamp=moment, change=(results[0], results[1])),
        )


def view(gen: Generator, step: TableTableJoin, name: str) -> None:
    """The join of both sides' current rows; its time is the later of theirs."""
    left, right = gen.view(step.left), gen.view(step.right)
    merge = joiner(gen, step)
    with gen.function(f"def {name}(key):"):
        keys, _ = gen.unhash("key", step.schema, windowed=gen.is_windowed(step))
        gen.line(f"left, left_time = {left}(key) or (None, -1)")
        gen.line(f"right, right_time = {right}(key) or (None, -1)")
        needed = [s for s in ("left", "right") if not outer(step, "right" if s == "left" else "left")]
        missing = " or ".join(f"{s} is None" for s in needed) or "left is None and right is None"
        with gen.block(f"if {missing}:"):
            gen.line("return None")
        gen.line(f"return {merge}({''.join(f'{k}, ' for k in keys)}left, right), max(left_time, right_time)")
