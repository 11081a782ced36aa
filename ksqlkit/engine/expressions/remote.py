"""Calls of functions that are answered in batches, lifted out of expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, cast

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import types as T
from ksqlkit.engine.analysis import trees
from ksqlkit.engine.expressions.compiler import compile_function, infer_type
from ksqlkit.engine.expressions.replay import Replay
from ksqlkit.engine.expressions.runtime import error_text
from ksqlkit.engine.functions.contract import (
    ArgType,
    FunctionRegistry,
    LambdaType,
    RemoteCall,
    ResolvedScalar,
)
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

    A call with a lambda that calls some is lifted out whole, and answered in rounds (see replay). A call in a branch of
    CASE is made for every row.
    """
    splitter = _Splitter(functions, dict(types))
    return splitter.stages, [splitter.rewrite(expr) for expr in exprs]


def answer_rows(
    exprs: Sequence[N.Expression],
    columns: Sequence[Column],
    functions: FunctionRegistry,
    rows: Sequence[tuple[Any, ...]],
    failed: Callable[[str], None],
) -> tuple[list[N.Expression], list[Column], list[tuple[Any, ...]]]:
    """Make the remote calls of the expressions, one for all rows and stage: the expressions without them, over rows
    with further columns. Rows that failed have null there, and `failed` hears why."""
    stages, rest = split_remote(exprs, functions, {c.name: c.type for c in columns})
    known, found = list(columns), list(rows)
    for stage in stages:
        compute = compile_function(stage.args, known, functions)
        asked: dict[int, tuple[Any, ...]] = {}
        for place, row in enumerate(found):
            try:
                arguments = compute(row)
            except (ArithmeticError, ValueError, TypeError, LookupError, KsqlkitError) as error:
                failed(f"Error computing the arguments of {stage.name}: {error_text(error)}")
                continue
            if not (stage.null_propagates and None in arguments):
                asked[place] = arguments
        given = dict(zip(asked, stage.call.call(list(asked.values())) if asked else (), strict=True))
        for place, answer in given.items():
            if isinstance(answer, Exception):
                failed(f"Error calling {stage.name}: {error_text(answer)}")
                given[place] = None
        found = [(*row, given.get(place)) for place, row in enumerate(found)]
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
        if self.functions.kind(node.name) != "SCALAR":
            return node
        if any(isinstance(a, N.Lambda) for a in node.args):
            return self._lift_lambda(node)
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
        column = self._stage(node.name, resolved.returns, args, resolved.remote, resolved.null_propagates)
        if resolved.deterministic:
            self.seen[node] = column
        return column

    def _lift_lambda(self, node: N.FunctionCall) -> N.Expression:
        """The whole call, where a lambda of its calls something remote."""
        probe = _Probe(self.functions)
        kind = infer_type(node, self.types, cast(FunctionRegistry, probe))
        if not probe.remote or kind is None:
            return node
        names = dict.fromkeys(c.name for c in trees.columns_of(node) if c.name in self.types)
        replay = Replay(node, [Column(name, self.types[name]) for name in names], self.functions)
        return self._stage(node.name, kind, tuple(N.ColumnRef(name) for name in names), replay, False)

    def _stage(
        self, name: str, kind: T.SqlType, args: tuple[N.Expression, ...], call: RemoteCall, nulls: bool
    ) -> N.ColumnRef:
        column = N.ColumnRef(f"KSQLKIT_REMOTE_{len(self.stages)}")
        self.stages.append(RemoteStage(column.name, kind, name, args, call, nulls))
        self.types[column.name] = kind
        return column


class _Probe:
    """A registry that notes whether a remote function was resolved."""

    def __init__(self, functions: FunctionRegistry) -> None:
        self._functions = functions
        self.remote = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._functions, name)

    def scalar(self, name: str, args: Sequence[ArgType]) -> ResolvedScalar:
        """Resolve a scalar call."""
        found = self._functions.scalar(name, args)
        self.remote = self.remote or found.remote is not None
        return found
