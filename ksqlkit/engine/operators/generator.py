"""Turns a plan into the source text of one Python module: produce/consume code generation.

`source()` yields a module with one function, `bind(env, partition, peers)`. It makes the stores of one task and returns
the task's functions: one per source step, which takes a list of records and does everything up to the sink; `flush`
for steps that call remote functions; `views`, by which other steps and pull queries look rows up. Stateless steps
become plain lines, filters `if`, joins and table functions `for`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect.types import SqlType
from ksqlkit.engine.catalog import Format
from ksqlkit.engine.expressions import ExpressionCompiler, Variable, infer_type
from ksqlkit.engine.functions.contract import FunctionRegistry
from ksqlkit.engine.log.partitioner import partition_for
from ksqlkit.engine.log.protocol import Output
from ksqlkit.engine.operators.row import Row, tuple_text
from ksqlkit.engine.operators.writer import Writer
from ksqlkit.engine.plan.steps import QueryPlan, Step
from ksqlkit.engine.schema import Column, Schema
from ksqlkit.engine.serde import make_serializer
from ksqlkit.engine.serde.registry import SchemaRegistry
from ksqlkit.engine.state.keys import freeze, needs_freezing, thaw

Scope = dict[str, Variable]


class Generator:
    """Shared by the operators while one plan is compiled. `partitions` are those of the sources' topics."""

    def __init__(
        self,
        plan: QueryPlan,
        functions: FunctionRegistry,
        partitions: Mapping[str, int],
        registry: Any,
        on_error: Callable[[str, Exception], None],
        schemas: SchemaRegistry | None = None,
    ) -> None:
        self.plan = plan
        self.schemas = schemas
        self.functions = functions
        self.counts = partitions
        self.partitions = max(partitions.values(), default=1)
        self.registry = registry  # operators.registry: which module emits, views and tracks which step
        self.steps = list(plan.root.walk())
        self.number = {id(step): index for index, step in enumerate(self.steps)}
        self.parent: dict[int, tuple[Step, str]] = {}
        for step in self.steps:
            for side in ("input", "left", "right"):
                child = getattr(step, side, None)
                if isinstance(child, Step):
                    self.parent[id(child)] = (step, side)
        self.names: dict[str, object] = {
            "Output": Output,
            "make_row": tuple.__new__,
            "partition_for": partition_for,
            "freeze": freeze,
            "thaw": thaw,
        }
        self.expressions = ExpressionCompiler(functions, "q", on_error)
        self.prologue: list[str] = []
        self.blocks: list[list[str]] = []
        self.flushes: list[tuple[int, str]] = []
        self.segments: list[str] = []
        self.views: dict[int, str] = {}
        self.defined: set[str] = set()
        self.carried: dict[str, tuple[int, ...]] = {}  # by buffer of rows that wait for answers
        self.queryable = False
        self._counter = 0
        self._out = Writer()
        self._first: list[str] = []

    # ---------------------------------------------------------------- names and lines

    def index(self, step: Step) -> int:
        """A number for the step, unique in the plan."""
        return self.number[id(step)]

    def fresh(self, prefix: str = "t") -> str:
        """A new local name."""
        self._counter += 1
        return f"{prefix}_{self._counter}"

    def bind(self, value: object, prefix: str = "g") -> str:
        """A global name for an object."""
        name = self.fresh(prefix)
        self.names[name] = value
        return name

    def line(self, text: str) -> None:
        """Write a line."""
        self._out.line(text)

    def block(self, header: str) -> Any:
        """Write lines below a header."""
        return self._out.block(header)

    @contextmanager
    def function(self, header: str) -> Iterator[None]:
        """Write a function of the task; its lines go before those being written now."""
        saved, self._out = self._out, Writer()
        first, self._first = self._first, []
        with self._out.indented():
            yield
            if not self._out.lines:
                self._out.line("return None")
        self.blocks.append([header, *("    " + line for line in self._first), *self._out.lines])
        self._out, self._first = saved, first

    def preamble(self, text: str) -> None:
        """Write a line at the beginning of the function that is being written."""
        self._first.append(text)

    @contextmanager
    def capture(self) -> Iterator[list[str]]:
        """Collect lines instead of writing them; `paste` writes them later."""
        saved, self._out = self._out, Writer()
        lines = self._out.lines
        yield lines
        self._out = saved

    def paste(self, lines: Sequence[str]) -> None:
        """Write captured lines at the current depth."""
        for text in lines:
            self._out.line(text)

    def branch(self, condition: str, yes: Callable[[], None], no: Callable[[], None]) -> None:
        """if condition: yes() else: no(), leaving out what writes nothing."""
        with self.capture() as on_true:
            yes()
        with self.capture() as on_false:
            no()
        if on_true:
            with self.block(f"if {condition}:"):
                self.paste(on_true)
            if on_false:
                with self.block("else:"):
                    self.paste(on_false)
        elif on_false:
            with self.block(f"if not ({condition}):"):
                self.paste(on_false)

    def store(self, step: Step, maker: object, *args: object, suffix: str = "") -> str:
        """Declare a store of the task; returns the local name it is bound to."""
        label = f"{step.name}{'-' + suffix if suffix else ''}"
        name = f"store_{self.index(step)}{suffix}"
        made = self.bind(maker, "make")
        rest = "".join(f", {a!r}" for a in args)
        self.prologue.append(f"{name} = env.keep({made}(env.label({label!r}){rest}))")
        return name

    # ---------------------------------------------------------------- rows

    def scope(self, schema: Schema, row: Row) -> Scope:
        """Column name -> variable, for expressions over a spread row of that schema."""
        assert row.values is not None
        texts = (*row.key, *row.values)
        return {c.name: Variable(t, c.type) for c, t in zip(schema.columns, texts, strict=True)}

    def pick(self, schema: Schema, row: Row, columns: Sequence[Column]) -> tuple[str, ...]:
        """The texts of columns by name."""
        scope = self.scope(schema, row)
        return tuple(scope[c.name].source for c in columns)

    def named(self, text: str, prefix: str = "t") -> str:
        """A variable that holds the text's value."""
        if text.isidentifier():
            return text
        name = self.fresh(prefix)
        self.line(f"{name} = {text}")
        return name

    def hashed(self, schema: Schema, row: Row) -> str:
        """The text of the row's hashable key, window included (see state.keys)."""
        parts = [
            f"freeze({t})" if needs_freezing(c.type) else t for c, t in zip(schema.key, row.key, strict=True)
        ]
        if row.window is not None:
            return tuple_text((*parts, *row.window))
        return parts[0] if len(parts) == 1 else tuple_text(parts)

    def unhash(
        self, key: str, schema: Schema, *, windowed: bool
    ) -> tuple[tuple[str, ...], tuple[str, str] | None]:
        """The texts of key columns and window of a hashable key held in the variable `key`."""
        columns = schema.key
        count = len(columns)
        parts = [key] if count == 1 and not windowed else [f"{key}[{i}]" for i in range(count)]
        for i, column in enumerate(columns):
            if needs_freezing(column.type):
                parts[i] = f"thaw({parts[i]}, {self.bind(column.type, 'type')})"
        window = (f"{key}[{count}]", f"{key}[{count + 1}]") if windowed else None
        return tuple(parts), window

    def is_windowed(self, step: Step) -> bool:
        """Whether the step's rows carry a window."""
        return bool(self.registry.windowed(step))

    def is_session(self, step: Step) -> bool:
        """Whether the step's rows carry the window of a session."""
        return bool(self.registry.session(step))

    def unpack(self, source: str, count: int, prefix: str = "v") -> tuple[str, ...]:
        """Spread a tuple into fresh variables."""
        names = tuple(self.fresh(prefix) for _ in range(count))
        if names:
            self.line(f"{tuple_text(names)} = {source}")
        return names

    # ---------------------------------------------------------------- expressions

    def expression(self, expr: N.Expression, scope: Scope, to: SqlType | None = None) -> str:
        """The Python text of an expression, coerced to the type `to`."""
        compiled = self.expressions.compile(expr, scope)
        if to is not None and compiled.type is not None and compiled.type != to:
            compiled = self.expressions.compile(N.Cast(expr, to), scope)
        self.names.update(compiled.names)
        return compiled.source

    def infer(self, expr: N.Expression, types: Mapping[str, SqlType]) -> SqlType | None:
        """The type of an expression over columns of these types."""
        return infer_type(expr, types, self.functions)

    def type_of(self, expr: N.Expression, scope: Scope) -> SqlType | None:
        """The type of an expression over the scope."""
        return infer_type(expr, {n: v.type for n, v in scope.items()}, self.functions)

    def fail(self, step: Step, message: str, row: Row) -> None:
        """Write the report of an exception held in the variable `error`."""
        shown = "" if row.values is None else f", {tuple_text((*row.values, *row.key))}"
        self.line(f"env.fail({step.name!r}, {message!r}, error, {row.topic}, partition, {row.offset}{shown})")

    def attempt(self, name: str, text: str, step: Step, message: str, row: Row) -> None:
        """Write an assignment; one that fails assigns null and is reported."""
        with self.block("try:"):
            self.line(f"{name} = {text}")
        with self.block("except Exception as error:"):
            self.line(f"{name} = None")
            self.fail(step, message, row)

    def attempt_all(self, computed: Sequence[tuple[str, str, str]], step: Step, row: Row) -> None:
        """Write assignments of (name, text, message): quick together, and where that fails, one by one."""
        if not computed:
            return
        with self.block("try:"):
            for name, text, _ in computed:
                self.line(f"{name} = {text}")
        with self.block("except Exception:"):
            for name, text, message in computed:
                self.attempt(name, text, step, message, row)

    def attempt_key(
        self, expr: N.Expression, column: Column, scope: Scope, step: Step, message: str, row: Row
    ) -> str:
        """A key column's text, or the name it was assigned to."""
        text = self.expression(expr, scope, column.type)
        if text.isidentifier() and text != "None":
            return text
        name = self.fresh("k")
        self.attempt(name, text, step, message, row)
        return name

    def key_bytes(self, columns: Sequence[Column], fmt: Format, topic: str = "") -> str:
        """A global name of the serializer of a key (tuple -> bytes)."""
        return self.bind(self.key_writer(fmt, columns, topic), "write_key")

    def key_writer(
        self, fmt: Format, columns: Sequence[Column], topic: str = ""
    ) -> Callable[..., bytes | None]:
        """The serializer of a key; schemas of keys that stay inside go under the query's own subject."""
        where = topic or f"{self.plan.query_id}-internal"
        return make_serializer(fmt, columns, is_key=True, topic=where, registry=self.schemas)

    # ---------------------------------------------------------------- flow

    def forward(self, step: Step, row: Row) -> None:
        """Hand the step's row to the next step's code."""
        if id(step) not in self.parent:
            self.registry.finish(self, step, row)
            return
        parent, side = self.parent[id(step)]
        self.registry.emit(self, parent, side, row)

    def wants_change(self, step: Step) -> bool:
        """Whether the next steps take the step's rows packed."""
        if id(step) not in self.parent:
            return False
        parent, side = self.parent[id(step)]
        return bool(self.registry.wants_change(self, parent, side))

    def wants_old(self, step: Step) -> int:
        """Whether anyone downstream asks for the old rows: 0 no, 1 where they are at hand, 2 always."""
        if id(step) not in self.parent:
            return 0
        parent, side = self.parent[id(step)]
        return int(self.registry.wants_old(self, parent, side))

    def forward_change(self, step: Step, row: Row) -> None:
        """Hand on a packed row of a table, spread where the next step takes it so."""
        if self.wants_change(step):
            self.forward(step, row)
            return
        assert row.change is not None
        new = row.change[0]

        def spread() -> None:
            values = self.unpack(new, len(step.schema.value))
            self.forward(step, replace(row, values=values, change=None))

        def tombstone() -> None:
            self.forward(step, replace(row, values=None, change=None))

        self.branch(f"{new} is not None", spread, tombstone)

    def packed(self, row: Row) -> tuple[str, str]:
        """The new and old row of a table's row in either shape."""
        if row.change is not None:
            return row.change
        return ("None" if row.values is None else tuple_text(row.values)), "None"

    def route(
        self, step: Step, row: Row, fmt: Format, then: Callable[[Row], None], *, count: int | None = None
    ) -> None:
        """Go on in the task of the row's new key, one of `count`: the in-memory form of a repartition topic."""
        carried = row.values if row.change is None else row.change
        if self.partitions == 1 or carried is None:
            then(row)
            return
        name = f"segment_{self.index(step)}"
        key = tuple(self.fresh("k") for _ in row.key)
        values = tuple(self.fresh("v") for _ in carried)
        present = " and ".join(f"{k} is not None" for k in key)
        packed = f"({tuple_text(key)} if {present} else None)" if row.key_nullable else tuple_text(key)
        inner = replace(
            row,
            key=key,
            key_tuple=packed,
            values=values if row.change is None else None,
            change=None if row.change is None else (values[0], values[1]),
            timestamp="timestamp",
            headers="headers",
            window=None if row.window is None else ("start", "end"),
            offset="None",
        )
        with self.function(
            f"def {name}({', '.join((*key, *values, 'timestamp', 'headers', *(inner.window or ())))}):"
        ):
            then(inner)
        self.segments.append(name)
        writer = self.key_bytes(step.schema.key, fmt)
        args = [*row.key, *carried, row.timestamp, row.headers, *(row.window or ())]
        target = f"partition_for({writer}({tuple_text(row.key)}), {count or self.partitions})"
        self.line(f"peers[{target}].{name}({', '.join(args)})")

    def forward_shared(self, step: Step, row: Row) -> None:
        """Hand on a spread row where a step does so in many places: what follows is written once, as a function."""
        assert row.values is not None
        name = f"after_{self.index(step)}"
        key, values = (
            tuple(f"k{i}" for i in range(len(row.key))),
            tuple(f"v{i}" for i in range(len(row.values))),
        )
        window = None if row.window is None else ("start", "end")
        if name not in self.defined:
            self.defined.add(name)
            inner = Row(
                key, "key_tuple", values, "timestamp", "headers", key_nullable=row.key_nullable, window=window
            )
            params = ("key_tuple", *key, *values, "timestamp", "headers", *(window or ()))
            with self.function(f"def {name}({', '.join(params)}):"):
                self.forward(step, inner)
        args = (row.key_tuple, *row.key, *row.values, row.timestamp, row.headers, *(row.window or ()))
        self.line(f"{name}({', '.join(args)})")

    def is_viewed(self, step: Step) -> bool:
        """Whether something looks rows of the table up."""
        return bool(self.registry.viewed(self, step))

    def view(self, step: Step) -> str:
        """The name of a function: hashable key -> (values, timestamp) or None, the step's current row."""
        if id(step) not in self.views:
            name = f"view_{self.index(step)}"
            self.views[id(step)] = name
            self.registry.view(self, step, name)
        return self.views[id(step)]

    # ---------------------------------------------------------------- the module

    def source(self, result_view: Step | None) -> str:
        """Generate everything; `result_view` is the step that pull queries look into."""
        self.queryable = result_view is not None
        handlers = [self.registry.produce(self, step) for step in self.steps if not step.inputs]
        looked = [] if result_view is None else [self.view(result_view)]
        text = ["def bind(env, partition, peers):", "    out = env.out", "    rows = env.rows"]
        text += ["    " + line for line in self.prologue]
        for block in self.blocks:
            text += ["    " + line for line in block]
        returned = [f"{name}={name}" for name in dict.fromkeys((*handlers, *self.segments, *looked))]
        flushes = ", ".join(name for _, name in sorted(self.flushes))
        text.append(f"    return env.task({', '.join(returned)}{',' if returned else ''} flush=[{flushes}])")
        return "\n".join(text) + "\n"

    @contextmanager
    def over_row(self, name: str, schema: Schema) -> Iterator[Row]:
        """Write a function `name(key columns ..., row)` over a packed row; yields it spread."""
        keys = tuple(self.fresh("k") for _ in schema.key)
        with self.function(f"def {name}({', '.join((*keys, 'row'))}):"):
            values = self.unpack("row", len(schema.value))
            yield Row(keys, tuple_text(keys), values, "None", "()")

    @contextmanager
    def over_view(self, name: str, input_step: Step) -> Iterator[tuple[tuple[str, ...], str, str]]:
        """Write a view function over the input's view; yields key texts, and the variables of values and time."""
        inner = self.view(input_step)
        with self.function(f"def {name}(key):"):
            self.line(f"found = {inner}(key)")
            with self.block("if found is None:"):
                self.line("return None")
            self.line("values, timestamp = found")
            keys, _ = self.unhash("key", input_step.schema, windowed=self.is_windowed(input_step))
            yield keys, "values", "timestamp"
