"""Aggregates in session windows: a row joins, extends or merges sessions; merged ones become tombstones."""

from __future__ import annotations

from dataclasses import replace

from ksqlkit.engine.operators.calls import Calls
from ksqlkit.engine.operators.generator import Generator
from ksqlkit.engine.operators.row import Row, tuple_text
from ksqlkit.engine.operators.window_aggregate import forward, key_order
from ksqlkit.engine.plan.steps import Aggregate
from ksqlkit.engine.state.session_store import SessionStore
from ksqlkit.engine.state.store import Scalars
from ksqlkit.engine.windows.definitions import SessionWindows, window_of


def emit(gen: Generator, step: Aggregate, row: Row, window: SessionWindows) -> None:
    """Write the step. Entries are (end, carried ..., state ...): a session's time is its end."""
    number = gen.index(step)
    store, times = declare(gen, step, window)
    calls = Calls(gen, step)
    hashed = gen.named(gen.hashed(step.schema, replace(row, window=None)), "hashed")
    moment, start, end, merged = row.timestamp, f"start_{number}", f"end_{number}", f"merged_{number}"
    close = f"close_{number}"
    with gen.block(f"if {moment} > {times}[0]:"):
        gen.line(f"{times}[0] = {moment}")
    gen.line(f"{close} = {times}[0] - {window.grace + window.gap}")
    gen.line(f"{start} = {end} = {moment}")
    gen.line(f"{merged} = {store}.find({hashed}, {moment} - {window.gap}, {moment} + {window.gap})")
    calls.start()
    old_end, old_start, old = gen.fresh("end"), gen.fresh("start"), gen.fresh("entry")
    with gen.block(f"for {old_end}, {old_start}, {old} in {merged}:"):
        gen.line(f"if {old_start} < {start}: {start} = {old_start}")
        gen.line(f"if {old_end} > {end}: {end} = {old_end}")
        states = gen.fresh("states")
        gen.line(f"{states} = {old}[1:]")
        calls.merge(states)
    scope = gen.scope(step.input.schema, row)
    with gen.block(f"if {end} >= {close}:"):
        calls.keep(scope)
        calls.add(row, scope)
        _replace_merged(gen, step, calls, row, store, hashed)
        gen.line(f"{store}.put({hashed}, {end}, {start}, ({end}, {calls.entry}))")
        if not step.final:
            now = replace(row, timestamp=end, window=(start, end), headers="()")
            forward(gen, step, calls, now)
    if step.final:
        _close(gen, step, calls, row, store, times)


def declare(gen: Generator, step: Aggregate, window: SessionWindows) -> tuple[str, str]:
    """Declare the step's stores once; the local names of the session store and of [stream time, last close]."""
    name = f"store_{gen.index(step)}"
    if name not in gen.defined:
        gen.defined.add(name)
        gen.store(step, SessionStore, window.retention, step.final)
        gen.store(step, Scalars, -1, -1, suffix="times")
        gen.prologue.append(f"{name}_times = {name}times.values")
    return name, f"{name}_times"


def _replace_merged(gen: Generator, step: Aggregate, calls: Calls, row: Row, store: str, hashed: str) -> None:
    """Remove the sessions that were merged; each becomes a tombstone at its own end."""
    number = gen.index(step)
    start, end, moment = f"start_{number}", f"end_{number}", row.timestamp
    old_end, old_start, old = gen.fresh("end"), gen.fresh("start"), gen.fresh("entry")
    with (
        gen.block(f"if {start} != {moment} or {end} != {moment}:"),
        gen.block(f"for {old_end}, {old_start}, {old} in merged_{number}:"),
    ):
        gen.line(f"{store}.remove({hashed}, {old_end}, {old_start})")
        if step.final:
            return
        gone = replace(row, values=None, timestamp=old_end, window=(old_start, old_end), headers="()")
        if not gen.wants_change(step):
            gen.forward(step, gone)
            return
        before = "None"
        if gen.wants_old(step):
            before = gen.fresh("old")
            result = calls.result_function()
            gen.line(f"{before} = {result}({', '.join((*row.key, old_start, old_end))}, {old}[1:])")
        gen.forward(step, replace(gone, change=("None", before)))


def _close(gen: Generator, step: Aggregate, calls: Calls, row: Row, store: str, times: str) -> None:
    """Emit sessions that have closed since the last time, by end, start and serialized key."""
    close = f"close_{gen.index(step)}"
    with gen.block(f"if {times}[1] < {close} and {close} >= 1:"):
        low = gen.fresh("low")
        gen.line(f"{low} = max(0, {times}[1])")
        with gen.block(f"if {close} > {low}:"):
            gen.line(f"{times}[1] = {close}")
            start, end, key, entry = (gen.fresh(n) for n in ("start", "end", "key", "entry"))
            order = key_order(gen, step)
            loop = f"{store}.closed({low}, {close} - 1, {order})"
            with gen.block(f"for {start}, {end}, {key}, {entry} in {loop}:"):
                gen.line(f"_, {calls.entry} = {entry}")
                keys, _ = gen.unhash(key, step.schema, windowed=False)
                closed = replace(
                    row, key=keys, key_tuple=tuple_text(keys), timestamp=end, window=(start, end)
                )
                forward(gen, step, calls, closed)


def look_up(gen: Generator, step: Aggregate) -> None:
    """Write the look-up of `entry` by the windowed `key` of a view."""
    assert step.window is not None
    window = window_of(step.window)
    assert isinstance(window, SessionWindows)
    store, _ = declare(gen, step, window)
    count = len(step.schema.key)
    inner = "key[0]" if count == 1 else f"key[:{count}]"
    gen.line(f"entry = {store}.get({inner}, key[{count}], key[{count + 1}])")
