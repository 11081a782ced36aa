"""Aggregates without a window, over streams and over tables."""

from __future__ import annotations

from dataclasses import replace

from ksqlkit.engine.operators import session_aggregate, window_aggregate
from ksqlkit.engine.operators.calls import Calls
from ksqlkit.engine.operators.generator import Generator
from ksqlkit.engine.operators.row import Row, tuple_text
from ksqlkit.engine.plan.steps import Aggregate
from ksqlkit.engine.state.table_store import TableStore
from ksqlkit.engine.windows.definitions import SessionWindows, window_of


def emit(gen: Generator, step: Aggregate, row: Row, _side: str) -> None:
    """Write the step, by kind of window."""
    if row.change is not None:
        _table(gen, step, row)
    elif row.values is None:
        return  # records without a value are not aggregated
    elif step.window is None:
        _stream(gen, step, row)
    else:
        window = window_of(step.window)
        if isinstance(window, SessionWindows):
            session_aggregate.emit(gen, step, row, window)
        else:
            window_aggregate.emit(gen, step, row, window)


def _store(gen: Generator, step: Aggregate) -> tuple[str, str, str]:
    """Local names of the store's dict, its look-up and its change marker."""
    name = f"store_{gen.index(step)}"
    if name not in gen.defined:
        gen.defined.add(name)
        gen.store(step, TableStore)
        gen.prologue += [
            f"{name}_data = {name}.data",
            f"{name}_dirty = {name}.dirty.add",
        ]
    return f"{name}_data", f"{name}_data.get", f"{name}_dirty"


def _stream(gen: Generator, step: Aggregate, row: Row) -> None:
    data, get, dirty = _store(gen, step)
    calls = Calls(gen, step)
    hashed = gen.named(gen.hashed(step.schema, row), "hashed")
    entry = gen.fresh("entry")
    now = gen.fresh("now")
    old = gen.wants_old(step)
    before = "None"
    gen.line(f"{entry} = {get}({hashed})")
    calls.unpack(entry, now, row)
    if old:
        before = gen.fresh("old")
        gen.line(f"{before} = {tuple_text(calls.values(row.key, None))}")
    scope = gen.scope(step.input.schema, row)
    calls.keep(scope)
    calls.add(row, scope)
    gen.line(f"{data}[{hashed}] = ({now}, {calls.entry})")
    gen.line(f"{dirty}({hashed})")
    window_aggregate.forward(gen, step, calls, replace(row, timestamp=now), before)


def _table(gen: Generator, step: Aggregate, row: Row) -> None:
    """Undo the old row, then add the new one; a group without either stays as it was."""
    assert row.change is not None
    data, get, dirty = _store(gen, step)
    calls = Calls(gen, step)
    new, old = row.change
    hashed = gen.named(gen.hashed(step.schema, row), "hashed")
    entry, now, known = gen.fresh("entry"), gen.fresh("now"), gen.fresh("known")
    gen.line(f"{entry} = {get}({hashed})")
    gen.line(f"{known} = {entry} is not None")
    with gen.block(f"if {known}:"):
        gen.line(f"{now}, {calls.entry} = {entry}")
        with gen.block(f"if {row.timestamp} > {now}:"):
            gen.line(f"{now} = {row.timestamp}")
    with gen.block("else:"):
        gen.line(f"{now} = {row.timestamp}")
        calls.start()
    before = "None"
    if gen.wants_old(step):
        before = gen.fresh("old")
        result = f"{calls.result_function()}({', '.join((*row.key, 'None', 'None'))}, {entry}[1:])"
        gen.line(f"{before} = {result} if {known} else None")
    columns = len(step.input.schema.value)
    with gen.block(f"if {old} is not None and {known}:"):
        inner = replace(row, values=gen.unpack(old, columns), change=None)
        scope = gen.scope(step.input.schema, inner)
        calls.keep(scope)
        calls.undo(inner, scope)
    with gen.block(f"if {new} is not None:"):
        inner = replace(row, values=gen.unpack(new, columns), change=None)
        scope = gen.scope(step.input.schema, inner)
        calls.keep(scope)
        calls.add(inner, scope)
    after = gen.fresh("new")
    with gen.block(f"if {known} or {new} is not None:"):
        gen.line(f"{data}[{hashed}] = ({now}, {calls.entry})")
        gen.line(f"{dirty}({hashed})")
        gen.line(f"{after} = {tuple_text(calls.values(row.key, None))}")
    with gen.block("else:"):
        gen.line(f"{after} = None")
    gen.forward_change(step, replace(row, timestamp=now, change=(after, before)))


def view(gen: Generator, step: Aggregate, name: str) -> None:
    """The current result of a group."""
    calls = Calls(gen, step)
    result = calls.result_function()
    windowed = step.window is not None
    if not windowed:
        _store(gen, step)
    with gen.function(f"def {name}(key):"):
        keys, window = gen.unhash("key", step.schema, windowed=windowed)
        bounds = window or ("None", "None")
        if not windowed:
            gen.line(f"entry = store_{gen.index(step)}_data.get(key)")
        elif isinstance(window_of(step.window), SessionWindows):  # type: ignore[arg-type]
            session_aggregate.look_up(gen, step)
        else:
            window_aggregate.look_up(gen, step)
        with gen.block("if entry is None:"):
            gen.line("return None")
        gen.line(f"return {result}({', '.join((*keys, *bounds))}, entry[1:]), entry[0]")
