"""Aggregate and table functions inside expressions: where they may stand, and what replaces them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis import trees
from ksqlkit.engine.analysis.text import fail, show
from ksqlkit.engine.functions.contract import FunctionRegistry

CallKind = Literal["AGGREGATE", "TABLE"]


def calls_of(
    kind: CallKind, exprs: Iterable[N.Expression], functions: FunctionRegistry
) -> list[N.FunctionCall]:
    """All calls of functions of the kind, in the order they are written."""
    return [
        e
        for expr in exprs
        for e in trees.walk(expr)
        if isinstance(e, N.FunctionCall) and functions.kind(e.name) == kind
    ]


def check_known(exprs: Iterable[N.Expression], functions: FunctionRegistry) -> None:
    """Raise for a call of a function that does not exist."""
    for expr in exprs:
        for e in trees.walk(expr):
            if isinstance(e, N.FunctionCall) and functions.kind(e.name) is None:
                raise fail(f"Can't find any functions with the name '{e.name}'", e)


def check_table_functions(expr: N.Expression, functions: FunctionRegistry) -> None:
    """Raise where a table function stands inside another one or inside CASE."""

    def visit(e: N.Expression, outer: str | None, case: N.Expression | None) -> None:
        if isinstance(e, N.SearchedCase | N.SimpleCase):
            case = e
        if isinstance(e, N.FunctionCall) and functions.kind(e.name) == "TABLE":
            if outer is not None:
                raise fail(f"Table functions cannot be nested: {outer}({e.name}())", e)
            if case is not None:
                raise fail(f"Table functions cannot be used in CASE: {show(case)}", e)
            outer = e.name
        for child in trees.children(e):
            visit(child, outer, case)

    visit(expr, None, None)


def replace_calls(
    expr: N.Expression, kind: CallKind, functions: FunctionRegistry, column: Callable[[N.FunctionCall], str]
) -> N.Expression:
    """The expression with every call of the kind replaced by a reference to the column that holds its result."""

    def visit(e: N.Expression) -> N.Expression | None:
        if isinstance(e, N.FunctionCall) and functions.kind(e.name) == kind:
            return N.ColumnRef(column(e), span=e.span)
        return None

    return trees.rewrite(expr, visit)
