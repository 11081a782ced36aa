"""A plan as text, for EXPLAIN and DESCRIBE EXTENDED, as ksqlDB prints its execution plans.

ksqlDB's rows carry more than ours: key columns again as values, pseudo columns, and projections that only rename. The
text is made from the plan before pruning, with those put back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import types as T
from ksqlkit.dialect.printer.types import type_text
from ksqlkit.engine.analysis.naming import joined
from ksqlkit.engine.analysis.trees import columns_of
from ksqlkit.engine.plan.joins import HIDDEN_KEY
from ksqlkit.engine.plan.steps import (
    Aggregate,
    Filter,
    FlatMap,
    Project,
    QueryPlan,
    SelectKey,
    SinkStep,
    SourceStep,
    Step,
)
from ksqlkit.engine.plan.topology import format_topology
from ksqlkit.engine.schema import WINDOW_BOUNDS, Column

__all__ = ["describe_plan", "format_topology"]

_LITERAL_TYPES: Final[dict[type, T.SqlType]] = {bool: T.BOOLEAN, str: T.STRING, float: T.DOUBLE}


@dataclass(frozen=True, slots=True)
class _Line:
    """One step of ksqlDB's plan."""

    word: str
    logger: str
    key: tuple[Column, ...]
    value: tuple[Column, ...]
    inputs: tuple[_Line, ...] = ()


def describe_plan(plan: QueryPlan) -> str:
    """The steps from the result down to the sources, indented, with the schema and the logger of each."""
    lines: list[str] = []

    def add(line: _Line, depth: int) -> None:
        keys = [f"{c.name} {type_text(c.type, str)} KEY" for c in line.key]
        schema = ", ".join([*keys, *(f"{c.name} {type_text(c.type, str)}" for c in line.value)])
        logger = f"{plan.query_id}.{line.logger}"
        lines.append("\t\t" * depth + f" > [ {line.word} ] | Schema: {schema} | Logger: {logger}\n")
        for below in line.inputs:
            add(below, depth + 1)

    root = plan.unpruned or plan.root
    line = _line(root)
    if plan.sink is None and isinstance(root, Project):
        # A client gets the key columns among the others; the schema has them twice.
        found = {c.name: c for c in root.schema.columns}
        line = replace(line, key=line.inputs[0].key, value=tuple(found[n] for n in plan.columns))
    add(line, 0)
    return "".join(lines)


def _line(step: Step) -> _Line:
    logger = step.name.replace("-", ".")
    match step:
        case SourceStep():
            line = _source(step)
            return _prepend(line, step) if _is_joined(step) else line
        case SelectKey(input=SourceStep() as source) if _is_joined(source):
            # ksqlDB gives columns their alias only after the new key is made.
            cut = len(joined(source.alias, ""))
            key = tuple(replace(c, name=c.name[cut:]) for c in step.schema.key)
            return _prepend(_rekeyed(_source(source), logger, key), source)
        case SelectKey():
            return _rekeyed(_line(step.input), logger, step.schema.key)
        case Filter():
            below = _line(step.input)
            return _Line("FILTER", logger, below.key, below.value, (below,))
        case FlatMap():
            below = _line(step.input)
            made = tuple(c for c in step.schema.value if c.name in step.columns)
            return _Line("FLAT_MAP", logger, below.key, below.value + made, (below,))
        case Aggregate():
            return _aggregate(step, logger)
        case Project() | SinkStep():
            word = "SINK" if isinstance(step, SinkStep) else "PROJECT"
            return _Line(word, logger, step.schema.key, step.schema.value, (_line(step.input),))
    inputs = tuple(_line(s) for s in step.inputs)
    values = tuple(c for line in inputs for c in line.value)
    key = tuple(replace(c, name=c.name.removeprefix(HIDDEN_KEY)) for c in step.schema.key)
    return _Line("JOIN", logger, key, _with_key(key, values), inputs)


def _with_key(key: Sequence[Column], value: tuple[Column, ...]) -> tuple[Column, ...]:
    known = {c.name for c in value}
    return (*value, *(c for c in key if c.name not in known))


def _rekeyed(below: _Line, logger: str, key: tuple[Column, ...]) -> _Line:
    return _Line("REKEY", logger, key, _with_key(key, below.value), (below,))


def _is_joined(step: SourceStep) -> bool:
    return any(c.name != o for c, o in zip(step.schema.columns, step.origins, strict=True))


def _source(step: SourceStep) -> _Line:
    named = [replace(c, name=o) for c, o in zip(step.schema.columns, step.origins, strict=True)]
    count = len(step.schema.key)
    key = tuple(named[:count])
    bounds = tuple(c for c in named[count:] if step.source.window is not None and c.name in WINDOW_BOUNDS)
    values = tuple(c for c in named[count:] if c not in bounds)
    return _Line("SOURCE", step.name.replace("-", "."), key, (*values, *key, *bounds))


def _prepend(line: _Line, source: SourceStep) -> _Line:
    """The projection by which ksqlDB puts the alias before every column."""
    side = source.name.removeprefix("KafkaTopic_").removesuffix("-Source")
    key = tuple(replace(c, name=joined(source.alias, c.name)) for c in line.key)
    value = tuple(replace(c, name=joined(source.alias, c.name)) for c in line.value)
    return _Line("PROJECT", f"PrependAlias{side}", key, value, (line,))


def _aggregate(step: Aggregate, logger: str) -> _Line:
    """ksqlDB first projects to the columns it needs, then groups, then aggregates."""
    below = _line(step.input.input)
    known = {c.name: c for c in below.value}
    args = [arg for call in step.calls for arg in _arguments(call.args, call.types, call.literals, known)]
    names = [*(c.name for c in columns_of(*step.input.by)), *step.carried]
    names += [c.name for expr, _ in args for c in columns_of(expr)]
    required = [known[n] for n in dict.fromkeys(names) if n in known]
    prepared = list(required)
    seen: set[N.Expression] = set()
    for expr, kind in args:
        if not isinstance(expr, N.ColumnRef) and expr not in seen:
            seen.add(expr)
            prepared.append(Column(f"KSQL_INTERNAL_COL_{len(prepared)}", kind))
    key = step.schema.key
    prepare = _Line("PROJECT", "Aggregate.Prepare", below.key, tuple(prepared), (below,))
    group = _Line("GROUP_BY", "Aggregate.GroupBy", key, tuple(prepared), (prepare,))
    results = tuple(c for c in step.schema.value if any(c.name == call.column for call in step.calls))
    bounds = tuple(Column(n, t) for n, t in WINDOW_BOUNDS.items()) if step.window else ()
    return _Line("AGGREGATE", logger, key, (*required, *results, *bounds), (group,))


def _arguments(
    args: Sequence[N.Expression],
    types: Sequence[T.SqlType],
    literals: Sequence[Any],
    known: dict[str, Column],
) -> list[tuple[N.Expression, T.SqlType]]:
    """The arguments of an aggregate with their types; a call without any gets the record's timestamp."""
    if not args and not literals:
        time = next((n for n in known if n == "ROWTIME" or n.endswith("_ROWTIME")), "ROWTIME")
        return [(N.ColumnRef(time), T.BIGINT)]
    found = list(zip(args, types, strict=True))
    return [*found, *((N.StringLiteral(repr(v)), _LITERAL_TYPES.get(type(v), T.INTEGER)) for v in literals)]
