"""The aggregate functions of one Aggregate step as text: initial states, adding, undoing, merging, results."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import types as T
from ksqlkit.engine.functions.contract import ResolvedAggregate
from ksqlkit.engine.operators.generator import Generator, Scope
from ksqlkit.engine.operators.row import Row, tuple_text
from ksqlkit.engine.operators.text import sql
from ksqlkit.engine.plan.steps import Aggregate


class Calls:
    """A step's aggregates. An entry of its store is (timestamp, carried column ..., state ...)."""

    def __init__(self, gen: Generator, step: Aggregate) -> None:
        self.gen = gen
        self.step = step
        types = {c.name: c.type for c in step.input.schema.columns}
        self.resolved: list[ResolvedAggregate] = []
        for call in step.calls:
            kinds = [gen.infer(a, types) for a in call.args] + [_literal_type(v) for v in call.literals]
            self.resolved.append(
                gen.functions.aggregate(call.function, kinds, call.literals, gen.plan.settings)
            )
        self.carried = len(step.carried)
        self.states = tuple(f"s{gen.index(step)}_{i}" for i in range(len(step.calls)))
        self.kept = tuple(f"c{gen.index(step)}_{i}" for i in range(self.carried))
        self.inits = [gen.bind(r.init, "init") for r in self.resolved]
        self.adds = [gen.bind(r.add, "add") for r in self.resolved]
        self.results = [None if r.result is None else gen.bind(r.result, "result") for r in self.resolved]

    @property
    def entry(self) -> str:
        """The text that packs the variables of an entry, without its timestamp."""
        return ", ".join((*self.kept, *self.states)) + ("," if self.carried + len(self.states) else "")

    def start(self) -> None:
        """Write initial states."""
        for name in self.kept:
            self.gen.line(f"{name} = None")
        for state, init, resolved in zip(self.states, self.inits, self.resolved, strict=True):
            first = resolved.init()
            plain = first is None or (isinstance(first, int | str) and type(first) in (int, bool, str))
            self.gen.line(f"{state} = {first!r}" if plain else f"{state} = {init}()")

    def unpack(self, entry: str, now: str, row: Row) -> None:
        """Write the variables of an entry, or initial ones, and the later of its timestamp and the row's."""
        with self.gen.block(f"if {entry} is None:"):
            self.gen.line(f"{now} = {row.timestamp}")
            self.start()
        with self.gen.block("else:"):
            self.gen.line(f"{now}, {self.entry} = {entry}")
            with self.gen.block(f"if {row.timestamp} > {now}:"):
                self.gen.line(f"{now} = {row.timestamp}")

    def keep(self, scope: Scope) -> None:
        """Write the carried columns' latest values."""
        for name, column in zip(self.kept, self.step.carried, strict=True):
            self.gen.line(f"{name} = {scope[column].source}")

    def add(self, row: Row, scope: Scope) -> None:
        """Write the new states."""
        arguments = self._arguments(row, scope)
        for resolved, state, add, given in zip(self.resolved, self.states, self.adds, arguments, strict=True):
            if resolved.inline_add is not None:
                self.gen.line(f"{state} = {resolved.inline_add.format(*given, state=state)}")
            else:
                self.gen.line(f"{state} = {add}({', '.join((state, *given))})")

    def undo(self, row: Row, scope: Scope) -> None:
        """Write the states without an old row."""
        arguments = self._arguments(row, scope)
        for call, resolved, state, given in zip(
            self.step.calls, self.resolved, self.states, arguments, strict=True
        ):
            assert resolved.remove is not None, f"{call.function} has no undo"
            remove = self.gen.bind(resolved.remove, "remove")
            self.gen.line(f"{state} = {remove}({', '.join((state, *given))})")

    def _arguments(self, row: Row, scope: Scope) -> list[list[str]]:
        """Write the computed arguments; one that fails is null, as a column of ksqlDB's PreAggregateSelect is."""
        texts: list[list[str]] = []
        computed: list[tuple[str, str, N.Expression]] = []
        for call, resolved in zip(self.step.calls, self.resolved, strict=True):
            given = []
            for expr, param in zip(call.args, resolved.params, strict=False):
                text = self.gen.expression(expr, scope, param)
                if not text.isidentifier():
                    name = self.gen.fresh("a")
                    computed.append((name, text, expr))
                    text = name
                given.append(text)
            texts.append(given)
        guarded(self.gen, self.step, row, computed)
        return texts

    def merge(self, other: str) -> None:
        """Write the states merged with those of another session, an entry in the variable `other`."""
        for i, name in enumerate(self.kept):
            self.gen.line(f"if {name} is None: {name} = {other}[{i}]")
        for i, (resolved, state) in enumerate(zip(self.resolved, self.states, strict=True)):
            assert resolved.merge is not None, "sessions need aggregates that merge"
            merge = self.gen.bind(resolved.merge, "merge")
            self.gen.line(f"{state} = {merge}({state}, {other}[{self.carried + i}])")

    def values(
        self, key: tuple[str, ...], window: tuple[str, str] | None, *, named: bool = True
    ) -> tuple[str, ...]:
        """The texts of the step's value columns, from the variables of an entry."""
        texts = dict(zip(self.step.carried, self.kept, strict=True))
        for call, state, result in zip(self.step.calls, self.states, self.results, strict=True):
            texts[call.column] = state if result is None else f"{result}({state})"
        if window is not None:
            texts["WINDOWSTART"], texts["WINDOWEND"] = window
        for column, text in zip(self.step.schema.key, key, strict=True):
            texts.setdefault(column.name, text)
        out = []
        for column in self.step.schema.value:
            text = texts[column.name]
            # A result is computed once, here: what follows may name the column several times.
            out.append(self.gen.named(text, "r") if named and text.endswith(")") else text)
        return tuple(out)

    def result_function(self) -> str:
        """A function (key columns ..., start, end, entry without its timestamp) -> packed row."""
        gen, name = self.gen, f"result_{self.gen.index(self.step)}"
        if name not in gen.defined:
            gen.defined.add(name)
            keys = tuple(gen.fresh("k") for _ in self.step.schema.key)
            with gen.function(f"def {name}({', '.join((*keys, 'start', 'end', 'entry'))}):"):
                gen.line(f"({self.entry}) = entry")
                values = self.values(keys, None if self.step.window is None else ("start", "end"))
                gen.line(f"return {tuple_text(values)}")
        return name


def guarded(gen: Generator, step: Aggregate, row: Row, computed: list[tuple[str, str, N.Expression]]) -> None:
    """Write assignments of (name, text, expression); those that fail assign null and are reported."""
    message = "Error computing expression {} for column KSQL_INTERNAL_COL_{} with index {}"
    gen.attempt_all(
        [(name, text, message.format(sql(e), i, i)) for i, (name, text, e) in enumerate(computed)], step, row
    )


def _literal_type(value: Any) -> T.SqlType | None:
    """The SQL type of a constant argument."""
    for python, kind in ((bool, T.BOOLEAN), (str, T.STRING), (float, T.DOUBLE)):
        if isinstance(value, python):
            return kind
    if isinstance(value, int):
        return T.INTEGER if -(1 << 31) <= value < 1 << 31 else T.BIGINT
    if isinstance(value, Decimal):
        digits = value.as_tuple()
        scale = max(-int(digits.exponent), 0)
        return T.Decimal(max(len(digits.digits), scale), scale)
    return None
