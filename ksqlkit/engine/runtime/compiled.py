"""A plan compiled to a module of generated Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from ksqlkit.dialect.parser import TOO_DEEP
from ksqlkit.engine.functions.contract import FunctionRegistry
from ksqlkit.engine.operators.generator import Generator
from ksqlkit.engine.operators.registry import Registry
from ksqlkit.engine.plan.steps import QueryPlan, SinkStep, SourceStep, Step
from ksqlkit.engine.serde.registry import SchemaRegistry
from ksqlkit.errors import StatementError

Bind = Callable[[Any, int, list[SimpleNamespace]], SimpleNamespace]


@dataclass(frozen=True, slots=True)
class CompiledPlan:
    """`bind(environment, partition, peers)` makes a task; `text` is the generated source, for EXPLAIN and debugging."""

    text: str
    bind: Bind
    handlers: tuple[tuple[SourceStep, str], ...]
    result: Step | None  # the table step that pull queries see
    view: str | None


def compile_plan(
    plan: QueryPlan,
    functions: FunctionRegistry,
    partitions: Mapping[str, int],
    on_error: Callable[[str, Exception], None],
    *,
    queryable: bool,
    schemas: SchemaRegistry | None = None,
) -> CompiledPlan:
    """Generate and compile. `queryable` asks for the look-up functions of the result, where it is a table.

    Raises StatementError where the expressions nest too deeply for Python."""
    registry = Registry()
    gen = Generator(plan, functions, partitions, registry, on_error, schemas)
    top = plan.root.input if isinstance(plan.root, SinkStep) else plan.root
    result = top if queryable and registry.is_table(top) else None
    text = gen.source(result)
    namespace: dict[str, Any] = dict(gen.names)
    try:
        code = compile(text, f"<query {plan.query_id}>", "exec")
    except (SyntaxError, MemoryError):  # what Python says of too many parentheses or too deep a tree
        raise StatementError(TOO_DEEP) from None
    exec(code, namespace)
    handlers = tuple((s, f"source_{gen.index(s)}") for s in gen.steps if isinstance(s, SourceStep))
    view = None if result is None else gen.view(result)
    return CompiledPlan(text, namespace["bind"], handlers, result, view)
