"""The aggregate functions of one Aggregate step as text: initial states, adding, undoing, merging, results."""

from __future__ import annotations

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.functions.contract import ResolvedAggregate
from ksqlkit.engine.operators.generator import Generator, Scope
from ksqlkit.engine.operators.row import Row, tuple_text
from ksqlkit.engine.plan.steps import Aggregate


class Calls:
    """A step's aggregates. An entry of its store is (timestamp, carried column ..., state ...)."""

    def __init__(self, gen: Generator, step: Aggregate) -> None:
        self.gen = gen
        self.step = step
        types = {c.name: c.type for c in step.input.schema.columns}
        self.resolved: list[ResolvedAggregate] = []
        for call in step.calls:
            kinds = [gen.infer(a, types) for a in call.args]
            self.resolved.append(gen.functions.aggregate(call.function, kinds, call.literals))
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

    def keep(self, scope: Scope) -> None:
        """Write the carried columns' latest values."""
        for name, column in zip(self.kept, self.step.carried, strict=True):
            self.gen.line(f"{name} = {scope[column].source}")

    def add(self, row: Row, scope: Scope) -> None:
        """Write the new states; nothing is kept if one of them fails."""
        gen = self.gen
        for call, resolved, state, add in zip(
            self.step.calls, self.resolved, self.states, self.adds, strict=True
        ):
            arguments = self._arguments(call.args, resolved, scope, simple=resolved.inline_add is not None)
            if resolved.inline_add is not None:
                gen.line(f"{state} = {resolved.inline_add.format(*arguments, state=state)}")
            else:
                gen.line(f"{state} = {add}({', '.join((state, *arguments))})")
        del row

    def _arguments(
        self, exprs: tuple[N.Expression, ...], resolved: ResolvedAggregate, scope: Scope, *, simple: bool
    ) -> list[str]:
        texts = []
        for expr, param in zip(exprs, resolved.params, strict=False):
            text = self.gen.expression(expr, scope, param)
            texts.append(self.gen.named(text, "a") if simple else text)
        return texts

    def undo(self, scope: Scope) -> None:
        """Write the states without an old row."""
        for call, resolved, state in zip(self.step.calls, self.resolved, self.states, strict=True):
            assert resolved.remove is not None, f"{call.function} has no undo"
            remove = self.gen.bind(resolved.remove, "remove")
            arguments = self._arguments(call.args, resolved, scope, simple=False)
            self.gen.line(f"{state} = {remove}({', '.join((state, *arguments))})")

    def merge(self, key: str, other: str) -> None:
        """Write the states merged with those of another session, an entry in the variable `other`."""
        for i, name in enumerate(self.kept):
            self.gen.line(f"if {name} is None: {name} = {other}[{i}]")
        for i, (resolved, state) in enumerate(zip(self.resolved, self.states, strict=True)):
            assert resolved.merge is not None, "sessions need aggregates that merge"
            merge = self.gen.bind(resolved.merge, "merge")
            self.gen.line(f"{state} = {merge}({key}, {state}, {other}[{self.carried + i}])")

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
