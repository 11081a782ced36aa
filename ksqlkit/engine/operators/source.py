"""Reading a topic: bytes to columns, timestamps, windowed keys, pseudo columns, headers; a table's rows are kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from ksqlkit.dialect import types as T
from ksqlkit.engine.catalog import DataSource
from ksqlkit.engine.functions.contract import FunctionRegistry
from ksqlkit.engine.operators.generator import Generator
from ksqlkit.engine.operators.row import Row, tuple_text
from ksqlkit.engine.plan.steps import SourceStep
from ksqlkit.engine.schema import Column
from ksqlkit.engine.serde import make_deserializer
from ksqlkit.engine.state.table_store import TableStore

Headers = tuple[tuple[str, bytes | None], ...]


def all_headers(headers: Headers) -> list[dict[str, Any]]:
    """The value of a HEADERS column."""
    return [{"KEY": name, "VALUE": value} for name, value in headers]


def last_header(headers: Headers, name: str) -> bytes | None:
    """The value of a HEADER('name') column: the last header of that name."""
    return next((value for key, value in reversed(headers) if key == name), None)


def produce(gen: Generator, step: SourceStep) -> str:
    """Write the function that takes records of the source's topic; returns its name."""
    name = f"source_{gen.index(step)}"
    table = step.source.kind == "TABLE"
    stored = ""
    if table and (gen.wants_old(step) or gen.is_viewed(step)):
        stored = gen.store(step, TableStore)
        gen.prologue += [f"{stored}_data = {stored}.data", f"{stored}_dirty = {stored}.dirty.add"]
    with (
        gen.function(f"def {name}(records):"),
        gen.block("for offset, timestamp, key, value, headers in records:"),
    ):
        columns = _decode(gen, step)
        if table:
            _table(gen, step, columns, stored)
        else:
            _stream(gen, step, columns)
    return name


def _decode(gen: Generator, step: SourceStep) -> dict[str, str]:
    """Write deserialization into `k` and `v`; returns the text of every column and pseudo column."""
    source = step.source
    written = [c for c in source.schema.value if c.header is None]
    read = partial(make_deserializer, topic=source.topic, registry=gen.schemas)
    read_key = gen.bind(read(source.key_format, source.schema.key, is_key=True), "read_key")
    read_value = gen.bind(read(source.value_format, written, is_key=False), "read_value")
    if source.window is not None:
        _split_window(gen, source)
    for name, read_bytes, side in (("k", read_key, "key"), ("v", read_value, "value")):
        with gen.block("try:"):
            gen.line(f"{name} = {read_bytes}({side})")
        with gen.block("except Exception as error:"):
            gen.line(f"env.bad_record({source.topic!r}, partition, offset, {side!r}, {side}, error)")
            gen.line("continue")
    columns = {c.name: f"k{i}" for i, c in enumerate(source.schema.key)}
    columns |= {c.name: f"v{i}" for i, c in enumerate(written)}
    for c in source.schema.value:
        if c.header == "":
            columns[c.name] = f"{gen.bind(all_headers, 'headers_of')}(headers)"
        elif c.header is not None:
            columns[c.name] = f"{gen.bind(last_header, 'header_of')}(headers, {c.header!r})"
    if source.timestamp_column is not None:
        _timestamp(gen, source, columns[source.timestamp_column])
    if gen.plan.sink is not None and gen.plan.sink.timestamp_column is not None:
        gen.line("if timestamp > env.stream_time: env.stream_time = timestamp")
    columns |= {"ROWTIME": "timestamp", "ROWPARTITION": "partition", "ROWOFFSET": "offset"}
    if source.window is not None:
        columns |= {"WINDOWSTART": "start", "WINDOWEND": "end"}
    return columns


def _split_window(gen: Generator, source: DataSource) -> None:
    assert source.window is not None
    with gen.block("if key is None:"):
        gen.line("start = end = None")
    with gen.block("else:"):
        if source.window.type == "SESSION":
            gen.line("end = int.from_bytes(key[-16:-8], 'big', signed=True)")
            gen.line("start = int.from_bytes(key[-8:], 'big', signed=True)")
            gen.line("key = key[:-16]")
        else:
            gen.line("start = int.from_bytes(key[-8:], 'big', signed=True)")
            gen.line(f"end = start + {source.window.size}")
            gen.line("key = key[:-8]")


def _timestamp(gen: Generator, source: DataSource, text: str) -> None:
    """The record's time is a column's value; records without a usable one are skipped, as Kafka Streams does."""
    column = source.schema.find(source.timestamp_column or "")
    assert column is not None
    read = gen.bind(time_reader(gen.functions, column, source.timestamp_format), "time_of")
    position = int(text[1:])
    holder = text[0]
    with gen.block("try:"):
        gen.line(f"timestamp = {read}({holder}[{position}])")
        with gen.block("if timestamp < 0:"):
            gen.line("raise ValueError(f'negative timestamp: {timestamp}')")
    with gen.block("except Exception as error:"):
        gen.line(f"env.bad_timestamp({source.topic!r}, partition, offset, value, error)")
        gen.line("continue")


def time_reader(functions: FunctionRegistry, column: Column, fmt: str | None) -> Callable[[Any], int]:
    """A function from a timestamp column's value to milliseconds; raises where there is none."""
    parse: Callable[..., Any] | None = None
    if column.type == T.STRING:
        parse = functions.scalar("STRINGTOTIMESTAMP", [T.STRING, T.STRING]).fn

    def read(value: Any) -> int:
        if value is None:
            raise ValueError("the timestamp column is null")
        return int(value if parse is None else parse(value, fmt))

    return read


def _unpack_keys(gen: Generator, source: DataSource, body: list[str]) -> None:
    """Give names to the key columns if the lines use any."""
    names = tuple(f"k{i}" for i in range(len(source.schema.key)))
    if names and re.search(r"\bk\d+\b", "\n".join(body)):
        gen.line(f"{tuple_text(names)} = {tuple_text(('None',) * len(names))} if k is None else k")


def _unpack_values(gen: Generator, source: DataSource, body: list[str]) -> None:
    """Give names to the value columns that the lines use; `v` is not None here."""
    text = "\n".join(body)
    total = sum(c.header is None for c in source.schema.value)
    used = [i for i in range(total) if re.search(rf"\bv{i}\b", text)]
    if len(used) * 2 >= total and used:
        gen.line(f"{tuple_text(tuple(f'v{i}' for i in range(total)))} = v")
    else:
        for i in used:
            gen.line(f"v{i} = v[{i}]")


def _row(step: SourceStep, columns: dict[str, str]) -> Row:
    count = len(step.schema.key)
    origins = [columns[o] for o in step.origins]
    return Row(
        key=tuple(origins[:count]),
        key_tuple="k" if count else "None",
        key_nullable=True,
        values=tuple(origins[count:]),
        timestamp="timestamp",
        headers="headers",
        window=("start", "end") if step.source.window is not None else None,
        offset="offset",
        topic=repr(step.source.topic),
    )


def _stream(gen: Generator, step: SourceStep, columns: dict[str, str]) -> None:
    row = _row(step, columns)
    with gen.capture() as body:
        gen.forward(step, row)
    with gen.capture() as without:
        gen.forward(step, replace(row, values=None))
    _unpack_keys(gen, step.source, body + without)

    def present() -> None:
        _unpack_values(gen, step.source, body)
        gen.paste(body)

    gen.branch("v is not None", present, lambda: gen.paste(without))


def _table(gen: Generator, step: SourceStep, columns: dict[str, str], store: str) -> None:
    """Keep the row in the store, if there is one; rows without a key are dropped."""
    row = replace(_row(step, columns), key_nullable=False)
    assert row.values is not None
    packed = tuple_text(row.values)
    with gen.block("if k is None:"):
        gen.line("continue")
    with gen.capture() as body:
        old = "None"
        if store:
            gen.line(f"hashed = {gen.hashed(step.schema, row)}")
            if gen.wants_old(step):
                old = "old"
                gen.line(f"old = ({store}_data.get(hashed) or (None,))[0]")
            with gen.block("if new is None:"):
                gen.line(f"{store}_data.pop(hashed, None)")
            with gen.block("else:"):
                gen.line(f"{store}_data[hashed] = (new, timestamp)")
            gen.line(f"{store}_dirty(hashed)")
        gen.forward_change(step, replace(row, values=None, change=("new", old)))
    with gen.block("if v is None:"):
        gen.line("new = None")
    with gen.block("else:"):
        _unpack_keys(gen, step.source, [packed])
        _unpack_values(gen, step.source, [packed])
        gen.line(f"new = {packed}")
    _unpack_keys(gen, step.source, body)
    gen.paste(body)


def view(gen: Generator, step: SourceStep, name: str) -> None:
    """Look up the kept row."""
    with gen.function(f"def {name}(key):"):
        gen.line(f"return store_{gen.index(step)}_data.get(key)")
