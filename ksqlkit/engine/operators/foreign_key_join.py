"""Joins of a table with another's primary key by an expression over the left row.

A left row subscribes to its foreign key where the right table lives and gets an answer; a change of a right row
answers all its subscriptions. An answer counts only if the left row is still the one that subscribed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ksqlkit.engine.operators.generator import Generator
from ksqlkit.engine.operators.merging import joiner
from ksqlkit.engine.operators.row import Row, tuple_text
from ksqlkit.engine.operators.text import sql
from ksqlkit.engine.plan.steps import ForeignKeyJoin, SourceStep
from ksqlkit.engine.state.keys import key_columns, needs_freezing
from ksqlkit.engine.state.subscription_store import Subscription, SubscriptionStore, digest
from ksqlkit.engine.state.table_store import TableStore

# An answer to a left row: foreign key, right row or None, time.
Answer = tuple[Any, Any, int]


def emit(gen: Generator, step: ForeignKeyJoin, row: Row, side: str) -> None:
    """Write one side; both end in the function that emits a left row with its answer."""
    respond = _declare(gen, step)
    number = gen.index(step)
    new, old = gen.packed(row)
    if side == "right":
        found = gen.fresh("waiting")
        hashed = gen.named(gen.hashed(step.right.schema, row), "hashed")
        with gen.block(f"for {found} in peers[0].waiting_{number}({hashed}):"):
            place = f"{found}.key, {found}.digest, {hashed}, {new}, {row.timestamp}, {row.headers}"
            gen.line(f"peers[{found}.partition].{respond}({place})")
        return
    hashed = gen.named(gen.hashed(step.left.schema, row), "hashed")
    answer = gen.fresh("answer")
    keys = "".join(f"{k}, " for k in row.key)
    extract = _extractor(gen, step)
    sides = []
    for text in (new, old):
        name = gen.fresh("foreign")
        gen.line(f"{name} = None if {text} is None else {extract}({keys}{text})")
        sides.append(name)
    rules = gen.bind(left_answers if step.type == "LEFT" else inner_answers, "answers")
    subscribe = f"subscribe_{number}"
    call = f"{rules}({subscribe}, {hashed}, {new}, {old}, {sides[0]}, {sides[1]}, {row.timestamp})"
    with gen.block(f"for {answer} in {call}:"):
        gen.line(f"{respond}({hashed}, None, *{answer}, {row.headers})")


Subscribe = Callable[[Any, Any, Any], Any]


def inner_answers(
    subscribe: Subscribe, key: Any, new: Any, old: Any, foreign: Any, before: Any, timestamp: int
) -> list[Answer]:
    """What a change of a left row does in an inner join; a row whose foreign key is null has no result."""
    if foreign is None:
        if before is None:
            return []
        found = subscribe(before, key, None)
        return [(before, None, timestamp if found is None else max(timestamp, found[1]))]
    if before is not None and before != foreign:
        subscribe(before, key, None)
    found = subscribe(foreign, key, new)
    if found is None and old is None:
        return []  # nothing was joined before, so nothing has to go
    return [_answer(found, foreign, timestamp)]


def left_answers(
    subscribe: Subscribe, key: Any, new: Any, old: Any, foreign: Any, before: Any, timestamp: int
) -> list[Answer]:
    """What a change of a left row does in a left join: always one answer."""
    if old is None and new is None:
        return []
    if before is not None and before != foreign:
        subscribe(before, key, None)
    if foreign is None:
        return [(None, None, timestamp)]
    return [_answer(subscribe(foreign, key, new), foreign, timestamp)]


def _answer(found: Any, foreign: Any, timestamp: int) -> Answer:
    return (foreign, None, timestamp) if found is None else (foreign, found[0], max(timestamp, found[1]))


def _extractor(gen: Generator, step: ForeignKeyJoin) -> str:
    """A function (left key columns ..., left row) -> foreign key, None where it cannot be computed."""
    name = f"foreign_{gen.index(step)}"
    if name not in gen.defined:
        gen.defined.add(name)
        with gen.over_row(name, step.left.schema) as row:
            scope = gen.scope(step.left.schema, row)
            with gen.block("try:"):
                kind = step.right.schema.key[0].type
                text = gen.expression(step.foreign_key, scope, kind)
                gen.line(f"return freeze({text})" if needs_freezing(kind) else f"return {text}")
            with gen.block("except Exception as error:"):
                gen.fail(step, f"Error extracting foreign key {sql(step.foreign_key)}", row)
                gen.line("return None")
    return name


def _declare(gen: Generator, step: ForeignKeyJoin) -> str:
    """Write, once, the functions that subscribe a left row and that answer one; returns the latter's name.

    All subscriptions live in the first task, and the right row is looked for in all of them: so the join finds it
    whatever put it into its partition.
    """
    number = gen.index(step)
    respond = f"respond_{number}"
    if respond in gen.defined:
        return respond
    gen.defined.add(respond)
    gen.store(step, SubscriptionStore, suffix="waiting")
    gen.store(step, TableStore, suffix="result")
    gen.names |= {"Subscription": Subscription, "digest": digest}
    left_types = [c.type for c in step.left.schema.key]
    source = next(s for s in step.left.walk() if isinstance(s, SourceStep)).source
    write = gen.key_writer(source.key_format, step.left.schema.key)
    gen.names[f"left_bytes_{number}"] = lambda key: write(key_columns(key, left_types)) or b""
    look_right = gen.view(step.right)
    with gen.function(f"def subscribe_{number}(foreign, key, row):"):
        gen.line("waiting = None if row is None else Subscription(key, partition, digest(row))")
        gen.line(f"peers[0].enroll_{number}(foreign, left_bytes_{number}(key), waiting)")
        with gen.block("for peer in peers:"):
            gen.line(f"found = peer.{look_right}(foreign)")
            with gen.block("if found is not None:"):
                gen.line("return found")
    with gen.function(f"def enroll_{number}(foreign, left, waiting):"):
        gen.line(f"store_{number}waiting.put(foreign, left, waiting)")
    with gen.function(f"def waiting_{number}(foreign):"):
        gen.line(f"return store_{number}waiting.of(foreign)")
    gen.segments += [f"enroll_{number}", f"waiting_{number}", look_right, respond]
    _respond(gen, step, respond)
    return respond


def _respond(gen: Generator, step: ForeignKeyJoin, name: str) -> None:
    """Write `respond(key, digest, foreign, right row, timestamp, headers)`: emit the left row with its answer."""
    number = gen.index(step)
    look_left = gen.view(step.left)
    merge = joiner(gen, step)
    with gen.function(f"def {name}(key, expected, foreign, right, timestamp, headers):"):
        gen.line(f"found = {look_left}(key)")
        gen.line("current = None if found is None else found[0]")
        with gen.block("if expected is not None and (current is None or digest(current) != expected):"):
            gen.line("return")
        windowed = gen.is_windowed(step)
        keys, window = gen.unhash("key", step.left.schema, windowed=windowed)
        missing = "current is None" if step.type == "LEFT" else "True"
        (other,), _ = gen.unhash("foreign", step.right.schema, windowed=False)
        made = f"{merge}({', '.join((*keys, 'current', 'right', other))})"
        gen.line(f"new = None if right is None and {missing} else {made}")
        old = "None"
        if gen.wants_old(step) > 1:
            old = "old"
            gen.line(f"old = (store_{number}result.data.get(key) or (None,))[0]")
        gen.line(f"store_{number}result.put(key, None if new is None else (new, timestamp))")
        row = Row(
            key=keys, key_tuple=tuple_text(keys), values=None, timestamp="timestamp", headers="headers",
            window=window, change=("new", old),
        )  # fmt: skip
        gen.forward_change(step, row)


def view(gen: Generator, step: ForeignKeyJoin, name: str) -> None:
    """The last result of a left key."""
    _declare(gen, step)
    with gen.function(f"def {name}(key):"):
        gen.line(f"return store_{gen.index(step)}result.data.get(key)")
