"""Calls of remote functions: rows wait until the poll has read all, then one call answers all of them.

A row that waits is a tuple: timestamp, headers, offset, key tuple, what goes on of it, and the call's arguments last: a
tuple, the exception that computing them raised, or None for a row without a value. What goes on of a stream's row are
the columns that are read later; of a table's row, key columns, window bounds, and the new row and the old one (packed,
or None).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ksqlkit.engine.expressions import RemoteStage, Variable
from ksqlkit.engine.operators.generator import Generator
from ksqlkit.engine.operators.row import Row, tuple_text
from ksqlkit.engine.plan.steps import Aggregate, Remote, Step
from ksqlkit.engine.schema import Schema
from ksqlkit.engine.state.table_store import TableStore
from ksqlkit.engine.windows.definitions import window_of

Waiting = tuple[Any, ...]
_PLACE = ("timestamp", "headers", "offset", "key_tuple")


def emit(gen: Generator, step: Remote, row: Row, _side: str) -> None:
    """Write a row into the first stage's buffer. A table keeps its rows with their answers where they are looked up
    or undone later."""
    if not gen.registry.is_table(step):
        _wait_spread(gen, _Stage(step, 0), row)
        return
    new, old = gen.packed(row)
    if row.change is not None:
        new = gen.named(new, "new")
    _wait(gen, _Stage(step, 0), row, new, old, row.values)


@dataclass(frozen=True, slots=True)
class _Stage:
    """One of a step's calls, and the row as it is before it."""

    step: Remote
    number: int

    @property
    def remote(self) -> RemoteStage:
        return self.step.stages[self.number]

    @property
    def last(self) -> bool:
        return self.number + 1 == len(self.step.stages)

    @property
    def next(self) -> _Stage:
        return _Stage(self.step, self.number + 1)

    def buffer(self, gen: Generator) -> str:
        """The name of the list in which rows wait."""
        return f"buffer_{gen.index(self.step)}_{self.number}"

    @property
    def schema(self) -> Schema:
        before = self.step.input.schema
        return replace(before, value=self.step.schema.value[: len(before.value) + self.number])


def _wait(
    gen: Generator, stage: _Stage, row: Row, new: str, old: str, values: tuple[str, ...] | None = None
) -> None:
    """Write a table's row, packed in `new`, into the stage's buffer; `values` are its columns where they have names."""
    buffer = _declare(gen, stage, row)
    arguments = gen.fresh("args")
    if values is not None:
        _compute(gen, stage, row.key, values, arguments)
    elif new == "None":
        gen.line(f"{arguments} = None")
    else:
        gen.branch(
            f"{new} is not None",
            lambda: _compute(gen, stage, row.key, gen.unpack(new, len(stage.schema.value)), arguments),
            lambda: gen.line(f"{arguments} = None"),
        )
    place = [row.timestamp, row.headers, row.offset, row.key_tuple, *row.key, *(row.window or ())]
    gen.line(f"{buffer}.append({tuple_text([*place, new, old, arguments])})")


def _compute(
    gen: Generator, stage: _Stage, key: tuple[str, ...], values: tuple[str, ...], arguments: str
) -> None:
    """Write the call's arguments for a row of those columns."""
    columns = zip(stage.schema.columns, (*key, *values), strict=True)
    scope = {c.name: Variable(t, c.type) for c, t in columns}
    texts = [gen.expression(a, scope) for a in stage.remote.args]
    with gen.block("try:"):
        gen.line(f"{arguments} = {tuple_text(texts)}")
    with gen.block("except Exception as error:"):
        gen.line(f"{arguments} = error")


def _declare(gen: Generator, stage: _Stage, row: Row) -> str:
    """Write, once, what asks for a table's rows that wait and what goes on with the answers; the buffer's name."""
    buffer = stage.buffer(gen)
    if buffer in gen.defined:
        return buffer
    gen.defined.add(buffer)
    inner = _answered(row, tuple(gen.fresh("k") for _ in row.key))
    with gen.capture() as body:
        gen.line("if new is not None: new = (*new, answer)")
        if stage.last:
            _go_on(gen, stage.step, inner)
        else:
            _wait(gen, stage.next, inner, "new", "old")
    _talk(gen, stage, buffer, [*inner.key, *(inner.window or ()), "new", "old", "_"], body)
    return buffer


def _wait_spread(gen: Generator, stage: _Stage, row: Row) -> None:
    """Write a stream's row into the stage's buffer: no more of it than what is read later."""
    buffer = _declare_spread(gen, stage, row)
    arguments = "None"
    if row.values is not None:
        arguments = gen.fresh("args")
        _compute(gen, stage, row.key, row.values, arguments)
    columns = (*row.key, *(row.values or ("None",) * len(stage.schema.value)), *(row.window or ()))
    carried = [columns[i] for i in gen.carried[buffer]]
    place = [row.timestamp, row.headers, row.offset, row.key_tuple]
    gen.line(f"{buffer}.append({tuple_text([*place, *carried, arguments])})")


def _declare_spread(gen: Generator, stage: _Stage, row: Row) -> str:
    """As `_declare`, for a stream; in `gen.carried` stands which of key columns, columns and window bounds wait."""
    buffer = stage.buffer(gen)
    if buffer in gen.carried:
        return buffer
    inner = _answered(row, tuple(gen.fresh("k") for _ in row.key))
    values = tuple(gen.fresh("v") for _ in stage.schema.value)

    def go_on(columns: tuple[str, ...] | None) -> None:
        answered = replace(inner, values=columns)
        if stage.last:
            gen.forward(stage.step, answered)
        else:
            _wait_spread(gen, stage.next, answered)

    with gen.capture() as body:
        gen.branch("asked is not None", lambda: go_on((*values, "answer")), lambda: go_on(None))
    text = "\n".join(body)
    columns = (*inner.key, *values, *(inner.window or ()))
    used = [i for i, name in enumerate(columns) if re.search(rf"\b{name}\b", text)]
    gen.carried[buffer] = tuple(used)
    _talk(gen, stage, buffer, [*(columns[i] for i in used), "asked"], body)
    return buffer


def _answered(row: Row, key: tuple[str, ...]) -> Row:
    """The row as its parts are named when its answer is there; its values are for the caller to say."""
    return replace(
        row,
        key=key,
        key_tuple="key_tuple",
        values=None,
        change=None,
        timestamp="timestamp",
        headers="headers",
        window=None if row.window is None else ("start", "end"),
        offset="offset",
    )


def _talk(gen: Generator, stage: _Stage, buffer: str, carried: list[str], body: list[str]) -> None:
    """Write the functions that ask for the rows that wait in the buffer, and that take the answers."""
    gen.prologue += [f"{buffer} = []", f"asked_{buffer} = []"]
    questions = gen.bind(Questions(stage.remote, stage.step.serves), "questions")
    with gen.function(f"def ask_{buffer}():"):
        gen.line(f"asked_{buffer}[:] = {buffer}")
        gen.line(f"{buffer}.clear()")
        gen.line(f"return {questions}.of(asked_{buffer})")
    with gen.function(f"def tell_{buffer}(given):"):
        gen.line(f"waiting = asked_{buffer}[:]")
        gen.line(f"asked_{buffer}.clear()")
        gen.line(f"answers = {questions}.answers(waiting, given, env, partition)")
        with gen.block(f"for {tuple_text([*_PLACE, *carried])}, answer in zip(waiting, answers):"):
            gen.paste(body or ["pass"])
    call = gen.bind(stage.remote.call, "call")
    number = gen.index(stage.step) * 100 + stage.number
    gen.flushes.append((number, f"({call}, ask_{buffer}, tell_{buffer})"))


def _go_on(gen: Generator, step: Remote, row: Row) -> None:
    """Write what becomes of an answered row. Its old row is the one that was answered before."""
    store = _kept(gen, step)
    if store is not None:
        hashed = gen.named(gen.hashed(step.schema, row), "hashed")
        if gen.wants_old(step):
            nothing = f"(None,) * {len(step.stages)}"
            gen.line(f"if old is not None: old = ({store}.data.get({hashed}) or ((*old, *{nothing}),))[0]")
        gen.line(f"{store}.put({hashed}, None if new is None else (new, timestamp))")
        if row.window is not None and _retention(step) is not None:
            gen.line(f"{store}_expire({hashed})")
    gen.forward_change(step, replace(row, change=("new", "old" if gen.wants_old(step) else "None")))


def _kept(gen: Generator, step: Remote) -> str | None:
    """The name of the store of a table's answered rows; None where nobody asks for them."""
    if not gen.registry.is_table(step) or not (gen.wants_old(step) or gen.is_viewed(step)):
        return None
    name = f"store_{gen.index(step)}"
    if name not in gen.defined:
        gen.defined.add(name)
        gen.store(step, TableStore)
        retention = _retention(step)
        if retention is not None:
            gen.prologue.append(f"{name}_expire = {gen.bind(expiry, 'expiry')}({name}, {retention})")
    return name


def view(gen: Generator, step: Remote, name: str) -> None:
    """Look up the answered row."""
    store = _kept(gen, step)
    with gen.function(f"def {name}(key):"):
        gen.line(f"return {store}.data.get(key)")


def _retention(step: Step) -> int | None:
    """How long the windows of the rows below are kept, in milliseconds; None without windows."""
    while step.inputs and not isinstance(step, Aggregate):
        step = step.inputs[0]
    window = step.window if isinstance(step, Aggregate) else None
    return None if window is None else window_of(window).retention


def expiry(store: TableStore, retention: int) -> Callable[[tuple[Any, ...]], None]:
    """A function to call with each key put: rows of windows that end `retention` before the latest one go."""
    ends: dict[int, set[tuple[Any, ...]]] = defaultdict(set)
    for key in store.places():
        ends[key[-1]].add(key)
    latest = max(ends, default=-1)

    def put(key: tuple[Any, ...]) -> None:
        nonlocal latest
        ends[key[-1]].add(key)
        if key[-1] <= latest:
            return
        latest = key[-1]
        for end in [e for e in ends if e < latest - retention]:
            for gone in ends.pop(end):
                store.put(gone, None)

    return put


class Questions:
    """What a stage asks for the rows that wait, and what its answers mean for them."""

    def __init__(self, stage: RemoteStage, step: str) -> None:
        self.stage = stage
        self.step = step

    def _asks(self, row: Waiting) -> bool:
        arguments = row[-1]
        return type(arguments) is tuple and not (self.stage.null_propagates and None in arguments)

    def of(self, waiting: Sequence[Waiting]) -> list[tuple[Any, ...]]:
        """The arguments to send, row by row."""
        arguments = [row[-1] for row in waiting]
        if not self.stage.null_propagates and set(map(type, arguments)) == {tuple}:
            return arguments
        return [row[-1] for row in waiting if self._asks(row)]

    def answers(
        self, waiting: Sequence[Waiting], given: Sequence[Any], env: Any, partition: int
    ) -> Sequence[Any]:
        """A value for each row that waits; rows that failed get null and are reported."""
        if len(given) == len(waiting) and not any(issubclass(k, Exception) for k in set(map(type, given))):
            return given
        rest = iter(given)
        found = []
        for row in waiting:
            value = next(rest) if self._asks(row) else row[-1] if isinstance(row[-1], Exception) else None
            if isinstance(value, Exception):
                env.fail(self.step, f"Error calling {self.stage.name}", value, None, partition, row[2])
                value = None
            found.append(value)
        return found
