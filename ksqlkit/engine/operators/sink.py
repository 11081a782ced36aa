"""The end of a plan: records for the sink's topic, or rows for whoever runs a push query."""

from __future__ import annotations

from dataclasses import replace

from ksqlkit.engine.operators.generator import Generator
from ksqlkit.engine.operators.row import Row, tuple_text
from ksqlkit.engine.operators.source import time_reader
from ksqlkit.engine.plan.steps import SinkStep, Step
from ksqlkit.engine.results import Tombstone
from ksqlkit.engine.schema import WINDOW_BOUNDS
from ksqlkit.engine.serde import make_serializer


def emit(gen: Generator, step: SinkStep, row: Row, _side: str) -> None:
    """Write serialization and the output record."""
    sink = step.sink
    write_key = gen.key_bytes(step.schema.key, sink.key_format, sink.topic)
    writer = make_serializer(
        sink.value_format, step.schema.value, is_key=False, topic=sink.topic, registry=gen.schemas
    )
    write_value = gen.bind(writer, "write_value")
    timestamp = row.timestamp
    values: tuple[str, ...] | None = None
    if row.change is not None:
        packed = row.change[0]
        if sink.timestamp_column is not None:
            _spread(gen, step, row, packed)
            return
    elif row.values is None:
        packed = "None"
    else:
        values = gen.pick(step.input.schema, row, step.schema.value)
        packed = tuple_text(values)
    if sink.timestamp_column is None:
        _output(gen, step, row, write_key, write_value, packed, timestamp)
        return
    with gen.block("try:"):
        moment = gen.fresh("moment")
        gen.line(f"{moment} = {_timestamp(gen, step, row)}")
        with gen.block(f"if {moment} < 0:"):
            gen.line(f"raise ValueError(f'Invalid timestamp: {{{moment}}}. It must not be negative.')")
    with gen.block("except Exception as error:"):
        gen.fail(step, "Error writing row with extracted timestamp", row)
    with gen.block("else:"):
        _output(gen, step, row, write_key, write_value, packed, moment)


def _spread(gen: Generator, step: SinkStep, row: Row, packed: str) -> None:
    def with_row() -> None:
        values = gen.unpack(packed, len(step.input.schema.value))
        emit(gen, step, replace(row, values=values, change=None), "input")

    def without() -> None:
        emit(gen, step, replace(row, values=None, change=None), "input")

    gen.branch(f"{packed} is not None", with_row, without)


def _timestamp(gen: Generator, step: SinkStep, row: Row) -> str:
    """A row without a value takes the task's stream time, as ksqlDB does."""
    if row.values is None:
        return "env.stream_time"
    column = step.schema.find(step.sink.timestamp_column or "")
    assert column is not None
    read = gen.bind(time_reader(gen.functions, column, step.sink.timestamp_format), "time_of")
    names = [c.name for c in step.input.schema.columns]
    text = (*row.key, *row.values)[names.index(column.name)]
    return f"{read}({text})"


def _output(
    gen: Generator, step: SinkStep, row: Row, write_key: str, write_value: str, packed: str, timestamp: str
) -> None:
    sink = step.sink
    key, value = gen.fresh("key"), gen.fresh("value")
    with gen.block("try:"):
        text = f"{write_key}({row.key_tuple})"
        gen.line(f"{key} = {'None' if row.key_tuple == 'None' else text}")
        gen.line(f"{value} = {'None' if packed == 'None' else f'{write_value}({packed})'}")
    with gen.block("except Exception as error:"):
        gen.line(f"env.bad_output({sink.topic!r}, {packed}, error)")
        gen.line("raise")
    with gen.block("else:"):
        partition = "0" if sink.partitions == 1 else f"partition_for({key}, {sink.partitions})"
        if sink.in_place:
            partition = "partition"
        elif sink.partitions > 1 and row.window is not None:
            gen.line(f"target = {partition}")
            partition = "target"
        if row.window is not None:
            start, end = row.window
            suffix = f"{start}.to_bytes(8, 'big', signed=True)"
            if gen.plan.window is not None and gen.plan.window.type == "SESSION":
                suffix = f"{end}.to_bytes(8, 'big', signed=True) + {suffix}"
            gen.line(f"{key} = ({key} or b'') + {suffix}")
        parts = f"({sink.topic!r}, {partition}, {timestamp}, {key}, {value}, {row.headers})"
        gen.line(f"out(make_row(Output, {parts}))")


def emit_rows(gen: Generator, step: Step, row: Row) -> None:
    """Rows of a push query: the selected columns; of a table's tombstone the key and window are left."""
    names = gen.plan.columns or tuple(c.name for c in step.schema.columns)
    order = [next(i for i, c in enumerate(step.schema.columns) if c.name == n) for n in names]
    left = {c.name: text for c, text in zip(step.schema.key, row.key, strict=True)}
    if row.window is not None:
        left |= dict(zip(WINDOW_BOUNDS, row.window, strict=True))

    def spread(values: tuple[str, ...]) -> None:
        texts = (*row.key, *values)
        gen.line(f"rows({tuple_text([texts[i] for i in order])})")

    def gone() -> None:
        if gen.plan.kind == "TABLE":
            tombstone = gen.bind(Tombstone, "Tombstone")
            gen.line(f"rows({tombstone}({tuple_text([left.get(n, 'None') for n in names])}))")

    if row.change is not None:
        new = row.change[0]
        gen.branch(f"{new} is not None", lambda: spread(gen.unpack(new, len(step.schema.value))), gone)
    elif row.values is not None:
        spread(row.values)
    else:
        gone()
