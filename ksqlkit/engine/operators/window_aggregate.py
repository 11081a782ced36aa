"""Aggregates in tumbling and hopping windows, emitted at each change or once when the window closes."""

from __future__ import annotations

from dataclasses import replace

from ksqlkit.engine.operators.calls import Calls
from ksqlkit.engine.operators.generator import Generator
from ksqlkit.engine.operators.row import Row, tuple_text
from ksqlkit.engine.plan.steps import Aggregate
from ksqlkit.engine.state.keys import key_columns
from ksqlkit.engine.state.store import Scalars
from ksqlkit.engine.state.window_store import WindowStore
from ksqlkit.engine.windows.definitions import TimeWindows, window_of


def emit(gen: Generator, step: Aggregate, row: Row, window: TimeWindows) -> None:
    """Write the loop over the row's windows; a window that has closed takes no more rows."""
    number = gen.index(step)
    store, times = declare(gen, step, window)
    calls = Calls(gen, step)
    hashed = gen.named(gen.hashed(step.schema, replace(row, window=None)), "hashed")
    moment, start, end = row.timestamp, f"start_{number}", f"end_{number}"
    with gen.block(f"if {moment} > {times}[0]:"):
        gen.line(f"{times}[0] = {moment}")
    gen.line(f"close_{number} = {times}[0] - {window.grace}")
    if window.advance == window.size:
        gen.line(f"{start} = {moment} - {moment} % {window.size}")
        header = f"if {start} + {window.size} > close_{number}:"
    else:
        step_by = window.advance
        gen.line(f"first_{number} = max(0, {moment} - {window.size - step_by}) // {step_by} * {step_by}")
        gen.line(f"open_{number} = (close_{number} - {window.size}) // {step_by} * {step_by} + {step_by}")
        header = f"for {start} in range(max(first_{number}, open_{number}), {moment} + 1, {step_by}):"
    with gen.block(header):
        gen.line(f"{end} = {start} + {window.size}")
        _update(gen, step, calls, row, store, hashed, (start, end))
    if step.final:
        _close(gen, step, calls, row, window, store, times)


def declare(gen: Generator, step: Aggregate, window: TimeWindows) -> tuple[str, str]:
    """Declare the step's stores once; the local names of the window store and of [stream time, last close]."""
    name = f"store_{gen.index(step)}"
    if name not in gen.defined:
        gen.defined.add(name)
        # A time-ordered store (EMIT FINAL) keeps a window of exactly the retention's age.
        gen.store(step, WindowStore, window.retention, 0 if step.final else 1, window.advance)
        gen.store(step, Scalars, -1, -1, suffix="times")
        gen.prologue += [
            f"{name}_get = {name}.data.get",
            f"{name}_open = {name}.open",
            f"{name}_changes = {name}.changes",
            f"{name}_times = {name}times.values",
        ]
    return name, f"{name}_times"


def _update(
    gen: Generator,
    step: Aggregate,
    calls: Calls,
    row: Row,
    store: str,
    hashed: str,
    window: tuple[str, str],
) -> None:
    held, entry, now = gen.fresh("held"), gen.fresh("entry"), gen.fresh("now")
    changed, last, start = gen.fresh("changed"), gen.fresh("last"), window[0]
    gen.preamble(f"{last} = -1")  # the window of the row before: mostly it is the same
    with gen.block(f"if {start} != {last}:"):
        gen.line(f"{held} = {store}_get({start})")
        with gen.block(f"if {held} is None:"):
            gen.line(f"{held} = {store}_open({start})")
        gen.line(f"{changed} = {store}_changes({start}).add")
        gen.line(f"{last} = {start}")
    gen.line(f"{entry} = {held}.get({hashed})")
    calls.unpack(entry, now, row)
    before = "None"
    if gen.wants_old(step) and not step.final:
        before = gen.fresh("old")
        gen.line(f"{before} = {tuple_text(calls.values(row.key, window))}")
    scope = gen.scope(step.input.schema, row)
    calls.keep(scope)
    calls.add(row, scope)
    gen.line(f"{held}[{hashed}] = ({now}, {calls.entry})")
    gen.line(f"{changed}({hashed})")
    if not step.final:
        forward(gen, step, calls, replace(row, timestamp=now, window=window), before)


def forward(gen: Generator, step: Aggregate, calls: Calls, row: Row, before: str = "None") -> None:
    """Hand on a window's result, packed or spread."""
    values = calls.values(row.key, row.window)
    if gen.wants_change(step):
        new = gen.fresh("new")
        gen.line(f"{new} = {tuple_text(values)}")
        if before == "None" and gen.wants_old(step):  # known to be null, not unknown
            before = gen.fresh("old")
            gen.line(f"{before} = None")
        gen.forward(step, replace(row, values=None, change=(new, before)))
    else:
        gen.forward(step, replace(row, values=values))


def key_order(gen: Generator, step: Aggregate) -> str:
    """A global name of a function from a hashable key to its serialized bytes, the order of a store."""
    write = gen.key_writer(step.key_format, step.schema.key)
    types = [c.type for c in step.schema.key]
    return gen.bind(lambda key: write(key_columns(key, types)) or b"", "key_order")


def _close(
    gen: Generator, step: Aggregate, calls: Calls, row: Row, window: TimeWindows, store: str, times: str
) -> None:
    """Emit what has closed since the last time, by window start and serialized key."""
    number = gen.index(step)
    close = f"close_{number}"
    with gen.block(f"if {times}[1] < {close} and {close} >= {window.size}:"):
        low, high = gen.fresh("low"), gen.fresh("high")
        gen.line(f"{high} = {close} - {window.size}")
        gen.line(f"{low} = 0 if {times}[1] < 0 else max(0, {times}[1] - {window.size}) + 1")
        gen.line(f"{times}[1] = {close}")
        oldest = f"{store}.time - {window.retention}"
        start, key, entry = gen.fresh("start"), gen.fresh("key"), gen.fresh("entry")
        order = key_order(gen, step)
        loop = f"{store}.closed(max({low}, {oldest}), {high}, {order})"
        with gen.block(f"for {start}, {key}, {entry} in {loop}:"):
            now, end = gen.fresh("now"), gen.fresh("end")
            gen.line(f"{now}, {calls.entry} = {entry}")
            gen.line(f"{end} = {start} + {window.size}")
            keys, _ = gen.unhash(key, step.schema, windowed=False)
            closed = replace(row, key=keys, key_tuple=tuple_text(keys), timestamp=now, window=(start, end))
            forward(gen, step, calls, closed)


def look_up(gen: Generator, step: Aggregate) -> None:
    """Write the look-up of `entry` by the windowed `key` of a view."""
    assert step.window is not None
    window = window_of(step.window)
    assert isinstance(window, TimeWindows)
    store, _ = declare(gen, step, window)
    count = len(step.schema.key)
    inner = "key[0]" if count == 1 else f"key[:{count}]"
    gen.line(f"entry = {store}.get(key[{count}], {inner})")
