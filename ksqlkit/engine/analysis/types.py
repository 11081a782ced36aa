"""Types of expressions in the clauses of a query, with the messages of each clause."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import types as T
from ksqlkit.engine.analysis import trees
from ksqlkit.engine.analysis.text import fail, show
from ksqlkit.engine.expressions import infer_type
from ksqlkit.engine.functions.contract import FunctionRegistry
from ksqlkit.errors import StatementError

Types = Mapping[str, T.SqlType]


def check_condition(
    expr: N.Expression,
    clause: str,
    types: Types,
    functions: FunctionRegistry,
    names: Mapping[str, str] | None = None,
) -> None:
    """Raise unless the expression of a WHERE or HAVING clause is a BOOLEAN; `names` says what generated columns are
    called in messages."""
    try:
        found = infer_type(expr, types, functions)
    except StatementError as error:
        late = _found_late(expr, error, types, functions)
        prefix = "Invalid Predicate: " if late else f"Error in {clause} expression: "
        message = f"{prefix}{error.message}\nStatement: {show(expr)}"
        raise fail(_named(message, names), expr, hint=error.hint, statement=show(expr)) from error
    if found != T.BOOLEAN:
        text = show(expr)
        message = f"Should evaluate to boolean but is {text} ({found or 'null'}) instead.\nStatement: {text}"
        raise fail(_named(f"Type error in {clause} expression: {message}", names), expr, statement=text)


def value_type(expr: N.Expression, types: Types, functions: FunctionRegistry) -> T.SqlType:
    """The type of an expression that makes a column; a bare NULL has none and is refused."""
    try:
        found = infer_type(expr, types, functions)
    except StatementError as error:
        late = "Invalid Select: " if _found_late(expr, error, types, functions) else ""
        raise fail(late + error.message, expr, hint=error.hint) from error
    if found is None:
        raise fail(
            "Can't infer a type of null. Please explicitly cast it to a required type, e.g. CAST(null AS VARCHAR).",
            expr,
        )
    return found


def _found_late(expr: N.Expression, error: StatementError, types: Types, functions: FunctionRegistry) -> bool:
    """Whether ksqlDB finds the fault only when it generates code: in IN lists, and casts between unrelated types."""
    if error.message.startswith("Cast of "):
        return True
    plain = trees.rewrite(expr, lambda e: N.IsNotNull(e.operand) if isinstance(e, N.InList) else None)
    if plain is expr:
        return False
    try:
        infer_type(plain, types, functions)
    except StatementError:
        return False
    return True


def _named(text: str, names: Mapping[str, str] | None) -> str:
    for name, shown in (names or {}).items():
        text = re.sub(rf"\b{re.escape(name)}\b", lambda _, s=shown: s, text)  # type: ignore[misc]
    return text
