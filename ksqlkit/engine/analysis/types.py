"""Types of expressions in the clauses of a query, with the messages of each clause."""

from __future__ import annotations

from collections.abc import Mapping

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import types as T
from ksqlkit.engine.analysis.text import fail, show
from ksqlkit.engine.expressions import infer_type
from ksqlkit.engine.functions.contract import FunctionRegistry
from ksqlkit.errors import StatementError

Types = Mapping[str, T.SqlType]


def check_condition(expr: N.Expression, clause: str, types: Types, functions: FunctionRegistry) -> None:
    """Raise unless the expression of a WHERE or HAVING clause is a BOOLEAN."""
    try:
        found = infer_type(expr, types, functions)
    except StatementError as error:
        raise fail(f"Error in {clause} expression: {error.message}", expr, hint=error.hint) from error
    if found != T.BOOLEAN:
        raise fail(
            f"Type error in {clause} expression: Should evaluate to boolean but is {show(expr)}"
            f" ({found or 'null'}) instead.",
            expr,
        )


def value_type(expr: N.Expression, types: Types, functions: FunctionRegistry) -> T.SqlType:
    """The type of an expression that makes a column; a bare NULL has none and is refused."""
    found = infer_type(expr, types, functions)
    if found is None:
        raise fail(
            "Can't infer a type of null. Please explicitly cast it to a required type, e.g. CAST(null AS VARCHAR).",
            expr,
        )
    return found
