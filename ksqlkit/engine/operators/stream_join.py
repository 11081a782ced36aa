"""Joins of two streams within a window of time, as Kafka Streams' KStreamKStreamJoin does them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ksqlkit.engine.operators.generator import Generator
from ksqlkit.engine.operators.merging import joined, nothing, side_columns, spread
from ksqlkit.engine.operators.row import Row, tuple_text
from ksqlkit.engine.operators.select_key import routing
from ksqlkit.engine.plan.steps import StreamStreamJoin
from ksqlkit.engine.state.join_store import JoinStore, OuterStore
from ksqlkit.engine.state.keys import key_columns
from ksqlkit.engine.state.store import Scalars
from ksqlkit.engine.windows.definitions import join_grace

NEVER = (1 << 63) - 1


def emit(gen: Generator, step: StreamStreamJoin, row: Row, side: str) -> None:
    """Write one side: close windows, match the other side's records, keep this one for the other side.

    A RIGHT join is the left join of swapped sides, so everything below speaks of "this" and "other"; `first` says
    whether this side is Kafka's left.
    """
    if row.values is None:
        return
    stores = _declare(gen, step)
    number = gen.index(step)
    swapped = step.type == "RIGHT"
    first = (side == "left") != swapped
    # The window clause speaks of the statement's left side, but Kafka's left after swapping is the right one.
    before, after = (step.before, step.after) if first else (step.after, step.before)
    alone = step.type == "FULL" or (step.type != "INNER" and first)
    times = f"{stores}_times"
    moment, mine = row.timestamp, spread(row)
    packed = gen.fresh("packed")
    this = step.left if side == "left" else step.right
    other = step.right if side == "left" else step.left
    hashed = gen.named(gen.hashed(this.schema, _keyed(gen, step, row)), "hashed")
    gen.line(f"if {moment} > {times}[0]: {times}[0] = {moment}")
    missing = " or ".join(f"{k} is None" for k in row.key)

    def alone_now() -> None:
        _forward(gen, step, _result(gen, step, row, side, mine, None))

    def match() -> None:
        if step.type != "INNER" and step.grace is not None:
            grace = step.grace
            lag = (step.after if first else step.before) + grace
            _close_windows(gen, step, row, stores, lag, grace)
        low, high, found = gen.fresh("low"), gen.fresh("high"), gen.fresh("found")
        gen.line(f"{low} = max(0, {moment} - {before})")
        gen.line(f"{high} = max(0, {moment} + {after})")
        gen.line(f"{found} = store_{number}{'b' if side == 'left' else 'a'}.fetch({hashed}, {low}, {high})")
        with gen.block(f"if {found}:"):
            _matches(gen, step, row, side, other, found, mine, hashed, first)
        if alone:
            with gen.block("else:"):
                if step.grace is None:
                    alone_now()
                else:
                    gen.branch(
                        f"{high} < {times}[0]",
                        alone_now,
                        lambda: _wait(gen, step, row, mine, stores, hashed, first),
                    )
        gen.line(f"{packed} = {tuple_text(mine)}")
        gen.line(f"store_{number}{'a' if side == 'left' else 'b'}.put({hashed}, {moment}, {packed})")

    with gen.block(f"if not ({missing}):"):
        match()
    if alone:
        with gen.block("else:"):
            alone_now()


def _forward(gen: Generator, step: StreamStreamJoin, row: Row) -> None:
    """An outer join emits in many places, which would double the code with every join above it."""
    if step.type == "INNER":
        gen.forward(step, row)
    else:
        gen.forward_shared(step, replace(row, key_nullable=True))


def _declare(gen: Generator, step: StreamStreamJoin) -> str:
    name = f"store_{gen.index(step)}"
    if name not in gen.defined:
        gen.defined.add(name)
        retention = step.before + step.after + join_grace(step.before, step.grace)
        gen.store(step, JoinStore, retention, suffix="a")
        gen.store(step, JoinStore, retention, suffix="b")
        gen.store(step, OuterStore, suffix="outer")
        gen.store(step, Scalars, -1, NEVER, suffix="times")
        gen.prologue.append(f"{name}_times = {name}times.values")
        write = gen.key_writer(routing(gen)[0], step.schema.key)
        gen.names[f"{name}_bytes"] = _order(write, step, windowed=gen.is_windowed(step))
    return name


def _keyed(gen: Generator, step: StreamStreamJoin, row: Row) -> Row:
    """The row with the window that counts as part of its key: of time windows only the start does."""
    if row.window is None or gen.is_session(step):
        return row
    return replace(row, window=(row.window[0], "0"))


def _order(
    write: Callable[[Sequence[Any]], bytes | None], step: StreamStreamJoin, *, windowed: bool
) -> Callable[[Any], bytes]:
    """A function from a hashable key to its bytes in the store of records that wait."""
    types = [c.type for c in step.schema.key]

    def plain(key: Any) -> bytes:
        return write(key_columns(key, types)) or b""

    def with_window(key: Any) -> bytes:
        *parts, start, end = key
        bounds: bytes = end.to_bytes(8, "big") + start.to_bytes(8, "big")
        return plain(parts[0] if len(types) == 1 else tuple(parts)) + bounds

    return with_window if windowed else plain


def _result(
    gen: Generator,
    step: StreamStreamJoin,
    row: Row,
    side: str,
    mine: tuple[str, ...],
    other: tuple[str, ...] | None,
) -> Row:
    """The join's row of this side's values and the other's, or of this side alone."""
    del gen
    this_schema = step.left.schema if side == "left" else step.right.schema
    other_schema = step.right.schema if side == "left" else step.left.schema
    here = side_columns(this_schema, row.key, mine)
    there = nothing(other_schema) if other is None else side_columns(other_schema, row.key, other)
    left, right = (here, there) if side == "left" else (there, here)
    return replace(row, values=joined(step, row.key, left, right))


def _matches(
    gen: Generator,
    step: StreamStreamJoin,
    row: Row,
    side: str,
    other: object,
    found: str,
    mine: tuple[str, ...],
    hashed: str,
    first: bool,
) -> None:
    """Write the loop over the other side's records; matched ones no longer wait for a partner."""
    assert other in (step.left, step.right)
    schema = (step.right if side == "left" else step.left).schema
    name = f"store_{gen.index(step)}"
    moment, values = gen.fresh("moment"), gen.fresh("values")
    with gen.block(f"for {moment}, _, {values} in {found}:"):
        if step.type != "INNER" and step.grace is not None:
            gen.line(f"{name}outer.discard(({moment}, {0 if first else 1}, {name}_bytes({hashed})))")
        gen.line(f"if {moment} < {row.timestamp}: {moment} = {row.timestamp}")
        texts = gen.unpack(values, len(schema.value))
        _forward(gen, step, replace(_result(gen, step, row, side, mine, texts), timestamp=moment))


def _wait(
    gen: Generator,
    step: StreamStreamJoin,
    row: Row,
    mine: tuple[str, ...],
    stores: str,
    hashed: str,
    first: bool,
) -> None:
    del step
    times = f"{stores}_times"
    gen.line(f"if {row.timestamp} < {times}[1]: {times}[1] = {row.timestamp}")
    place = f"({row.timestamp}, {1 if first else 0}, {stores}_bytes({hashed}))"
    gen.line(f"{stores}outer.add({place}, {row.key_tuple}, {tuple_text(mine)})")


def closed(
    store: OuterStore, times: list[int], first_lag: int, second_lag: int
) -> list[tuple[int, bool, object, object]]:
    """(timestamp, from Kafka's left, key, values) of waiting records whose window has closed; they wait no longer.

    Follows emitNonJoinedOuterRecords: in the store's order, until a record of each side is still open.
    """
    out: list[tuple[int, bool, object, object]] = []
    open_first = open_second = False
    times[1] = NEVER
    gone = []
    for place, key, values in store:
        timestamp, is_first = place[0], place[1] == 1
        times[1] = timestamp
        if open_first and open_second:
            break
        if timestamp + (first_lag if is_first else second_lag) >= times[0]:
            if is_first:
                open_first = True
            else:
                open_second = True
            continue
        out.append((timestamp, is_first, key, values))
        gone.append(place)
    for place in dict.fromkeys(gone):
        store.discard(place)
    return out


def _close_windows(
    gen: Generator, step: StreamStreamJoin, row: Row, stores: str, lag: int, grace: int
) -> None:
    """Emit records whose window has closed without a partner, when stream time stands at this record."""
    times = f"{stores}_times"
    find = gen.bind(closed, "closed")
    moment, is_first, key, values = (gen.fresh(n) for n in ("moment", "first", "key", "values"))
    condition = f"{row.timestamp} == {times}[0] and {times}[1] + {lag} < {times}[0]"
    call = f"{find}({stores}outer, {times}, {step.after + grace}, {step.before + grace})"
    with gen.block(f"if {condition}:"), gen.block(f"for {moment}, {is_first}, {key}, {values} in {call}:"):
        keys = tuple(f"{key}[{i}]" for i in range(len(step.schema.key)))
        unmatched = replace(row, key=keys, key_tuple=key, key_nullable=False, timestamp=moment)

        def of(side: str) -> None:
            schema = (step.left if side == "left" else step.right).schema
            texts = gen.unpack(values, len(schema.value))
            _forward(gen, step, _result(gen, step, unmatched, side, texts, None))

        swapped = step.type == "RIGHT"
        if step.type == "FULL":
            gen.branch(is_first, lambda: of("left"), lambda: of("right"))
        else:
            of("right" if swapped else "left")
