"""Steps whose expressions call remote functions: rows wait until the poll ends, then one call answers all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.expressions import RemoteStage, Variable, split_remote
from ksqlkit.engine.operators.generator import Generator, Scope
from ksqlkit.engine.operators.row import Row, tuple_text
from ksqlkit.engine.plan.steps import Step
from ksqlkit.engine.schema import Schema

Then = Callable[[Row, Scope, tuple[N.Expression, ...]], None]


def staged(
    gen: Generator,
    step: Step,
    schema: Schema,
    row: Row,
    exprs: tuple[N.Expression, ...],
    then: Then,
    tombstone: Callable[[Row], None] | None = None,
) -> None:
    """Continue with `then` where all remote calls inside `exprs` are columns of the scope; at once if there are none.

    Rows whose value is null continue with `tombstone`, in order with the others, or end here without one.
    """
    types = {c.name: c.type for c in schema.columns}
    calls, rest = split_remote(exprs, gen.functions, types)
    if not calls:
        if row.values is not None:
            then(row, gen.scope(schema, row), exprs)
        elif tombstone is not None:
            tombstone(row)
        return
    if row.values is None and tombstone is None:
        return
    _stage(gen, step, schema, row, {}, tuple(calls), tuple(rest), then, tombstone)


def _stage(
    gen: Generator,
    step: Step,
    schema: Schema,
    row: Row,
    extra: Scope,
    calls: tuple[RemoteStage, ...],
    exprs: tuple[N.Expression, ...],
    then: Then,
    tombstone: Callable[[Row], None] | None,
) -> None:
    """One function stage: buffer the rows, answer them in `flush`, go on."""
    call = calls[0]
    # Rows with and without a value share a buffer, so that their order stays; what follows it is written once.
    place = f"buffer_{gen.index(step)}_{len(calls)}"
    values = len(schema.value)
    if place not in gen.defined:
        gen.defined.add(place)
        gen.prologue.append(f"{place} = []")
        _flush(gen, step, schema, row, extra, calls, exprs, then, tombstone, place)
    if row.values is None:
        carried = ["None"] * (values + len(extra))
        arguments = "None"
    else:
        scope = {**gen.scope(schema, row), **extra}
        arguments = gen.fresh("args")
        texts = [gen.expression(a, scope) for a in call.args]
        with gen.block("try:"):
            gen.line(f"{arguments} = {tuple_text(texts)}")
        with gen.block("except Exception as error:"):
            gen.line(f"{arguments} = error")
        carried = [*row.values, *(v.source for v in extra.values())]
    window = row.window or ()
    parts = [row.timestamp, row.headers, row.offset, row.key_tuple, *row.key, *window, *carried, arguments]
    gen.line(f"{place}.append({tuple_text(parts)})")


def _flush(
    gen: Generator,
    step: Step,
    schema: Schema,
    row: Row,
    extra: Scope,
    calls: tuple[RemoteStage, ...],
    exprs: tuple[N.Expression, ...],
    then: Then,
    tombstone: Callable[[Row], None] | None,
    place: str,
) -> None:
    call = calls[0]
    name = f"flush_{place}"
    gen.flushes.append((gen.index(step) * 100 - len(calls), name))
    answer_all = gen.bind(make_answer(call, step.name), "answer")
    keys = tuple(gen.fresh("k") for _ in row.key)
    values = tuple(gen.fresh("v") for _ in schema.value)
    more = {n: Variable(gen.fresh("r"), v.type) for n, v in extra.items()}
    answer = gen.fresh("answer")
    window = ("start", "end") if row.window is not None else None
    names = [
        "timestamp", "headers", "offset", "key_tuple", *keys, *(window or ()), *values,
        *(v.source for v in more.values()), "arguments",
    ]  # fmt: skip
    inner = replace(
        row, key=keys, key_tuple="key_tuple", values=values, timestamp="timestamp", headers="headers",
        window=window, offset="offset",
    )  # fmt: skip
    with gen.function(f"def {name}():"):
        with gen.block(f"if not {place}:"):
            gen.line("return")
        gen.line(f"waiting = {place}[:]")
        gen.line(f"{place}.clear()")
        gen.line(f"answers = {answer_all}(waiting, env, partition)")
        with gen.block(f"for {tuple_text(names)}, {answer} in zip(waiting, answers):"):

            def answered() -> None:
                known = {**more, call.column: Variable(answer, call.type)}
                if len(calls) > 1:
                    _stage(gen, step, schema, inner, known, calls[1:], exprs, then, tombstone)
                else:
                    then(inner, {**gen.scope(schema, inner), **known}, exprs)

            def without_value() -> None:
                nothing = replace(inner, values=None)
                if len(calls) > 1:
                    _stage(gen, step, schema, nothing, more, calls[1:], exprs, then, tombstone)
                elif tombstone is not None:
                    tombstone(nothing)

            gen.branch("arguments is not None", answered, without_value)


def make_answer(stage: RemoteStage, step: str) -> Callable[[Sequence[tuple[Any, ...]], Any, int], list[Any]]:
    """A function that answers all waiting rows with one call; failed rows get null and are reported."""

    def answer(waiting: Sequence[tuple[Any, ...]], env: Any, partition: int) -> list[Any]:
        asked = [i for i, r in enumerate(waiting) if isinstance(r[-1], tuple)]
        if stage.null_propagates:
            asked = [i for i in asked if None not in waiting[i][-1]]
        given = stage.call.call([waiting[i][-1] for i in asked]) if asked else []
        results: list[Any] = [r[-1] if isinstance(r[-1], Exception) else None for r in waiting]
        for i, value in zip(asked, given, strict=True):
            results[i] = value
        for i, value in enumerate(results):
            if isinstance(value, Exception):
                env.fail(step, f"Error calling {stage.name}: {value}", value, None, partition, waiting[i][2])
                results[i] = None
        return results

    return answer
