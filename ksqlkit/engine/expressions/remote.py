"""Calls of functions that are answered in batches, lifted out of expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import types as T
from ksqlkit.engine.expressions.compiler import compile_function, infer_type
from ksqlkit.engine.functions.contract import FunctionRegistry, LambdaType, RemoteCall
from ksqlkit.engine.schema import Column
from ksqlkit.errors import KsqlkitError


@dataclass(frozen=True, slots=True)
class RemoteStage:
    """One call to make for a batch of rows, in the order of the list: later stages may read earlier columns.

    `args` are already of the types the function takes; `column` is the synthetic column that receives the results.
    With `null_propagates`, rows with a null argument get null without being sent.
    """

    column: str
    type: T.SqlType
    name: str
    args: tuple[N.Expression, ...]
    call: RemoteCall
    null_propagates: bool


def split_remote(
    exprs: Sequence[N.Expression], functions: FunctionRegistry, types: Mapping[str, T.SqlType]
) -> tuple[list[RemoteStage], list[N.Expression]]:
    """Lift remote calls out, innermost first; equal calls of deterministic functions are made once.

    Calls inside lambdas stay where they are and run row by row, as they depend on the lambda's parameters. A call in a
    branch of CASE is made for every row.
    """
    splitter = _Splitter(functions, dict(types))
    return splitter.stages, [splitter.rewrite(expr) for expr in exprs]


def answer_rows(
    exprs: Sequence[N.Expression],
    columns: Sequence[Column],
    functions: FunctionRegistry,
    rows: Sequence[tuple[Any, ...]],
) -> tuple[list[N.Expression], list[Column], list[tuple[Any, ...]]]:
    """Make the remote calls of the expressions, one for all rows and stage: the expressions without them, over rows
    with further columns. Rows that failed have null there."""
    stages, rest = split_remote(exprs, functions, {c.name: c.type for c in columns})
    known, found = list(columns), list(rows)
    for stage in stages:
        compute = compile_function(stage.args, known, functions)
        asked: dict[int, tuple[Any, ...]] = {}
        for place, row in enumerate(found):
            with suppress(ArithmeticError, ValueError, TypeError, LookupError, KsqlkitError):
                arguments = compute(row)
                if not (stage.null_propagates and None in arguments):
                    asked[place] = arguments
        given = dict(zip(asked, stage.call.call(list(asked.values())) if asked else (), strict=True))
        answers = (given.get(place) for place in range(len(found)))
        found = [
            (*row, None if isinstance(answer, Exception) else answer)
            for row, answer in zip(found, answers, strict=True)
        ]
        known.append(Column(stage.column, stage.type))
    return rest, known, found


class _Splitter:
    def __init__(self, functions: FunctionRegistry, types: dict[str, T.SqlType]) -> None:
        self.functions = functions
        self.types = types
        self.stages: list[RemoteStage] = []
        self.seen: dict[N.FunctionCall, N.ColumnRef] = {}

    def rewrite(self, node: N.Expression) -> N.Expression:
        if isinstance(node, N.Lambda):
            return node
        rebuilt = replace(node, **{f.name: self._child(getattr(node, f.name)) for f in fields(node)})
        return self._lift(rebuilt) if isinstance(rebuilt, N.FunctionCall) else rebuilt

    def _child(self, value: Any) -> Any:
        if isinstance(value, N.Expression):
            return self.rewrite(value)
        if isinstance(value, tuple):
            return tuple(self._child(item) for item in value)
        if isinstance(value, N.When) and is_dataclass(value):
            return replace(value, condition=self.rewrite(value.condition), result=self.rewrite(value.result))
        return value

    def _lift(self, node: N.FunctionCall) -> N.Expression:
        if self.functions.kind(node.name) != "SCALAR" or any(isinstance(a, N.Lambda) for a in node.args):
            return node
        if node in self.seen:
            return self.seen[node]
        kinds = [infer_type(arg, self.types, self.functions) for arg in node.args]
        resolved = self.functions.scalar(node.name, kinds)
        if resolved.remote is None:
            return node
        args = tuple(
            arg
            if kind is None or want is None or isinstance(want, LambdaType) or want == kind
            else N.Cast(arg, want)
            for arg, kind, want in zip(node.args, kinds, resolved.params, strict=True)
        )
        column = N.ColumnRef(f"KSQLKIT_REMOTE_{len(self.stages)}")
        self.stages.append(
            RemoteStage(
                column.name, resolved.returns, node.name, args, resolved.remote, resolved.null_propagates
            )
        )
        self.types[column.name] = resolved.returns
        if resolved.deterministic:
            self.seen[node] = column
        return column
