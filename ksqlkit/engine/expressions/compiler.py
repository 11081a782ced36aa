"""What the rest of the engine calls: types of expressions, their text, and functions made of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import types as T
from ksqlkit.engine.expressions import casts, runtime
from ksqlkit.engine.expressions.code import Code, Compiled, Names, OnError, Scope, Variable, shown
from ksqlkit.engine.expressions.emitter import Emitter
from ksqlkit.engine.functions.contract import FunctionRegistry

_SERIAL = itertools.count()  # keeps the names of separate coercions apart


class ExpressionCompiler:
    """Compiles the expressions of one query. Names it makes start with `prefix`; `on_error(what, exception)` hears of
    errors that ksqlDB logs and replaces by null inside an expression."""

    def __init__(
        self, functions: FunctionRegistry, prefix: str = "x", on_error: OnError | None = None
    ) -> None:
        self._functions = functions
        self._prefix = prefix
        self._on_error = on_error
        self._count = 0

    def compile(self, expr: N.Expression, scope: Scope) -> Compiled:
        """One expression as one Python expression text. Raises StatementError."""
        names = Names(self._prefix, self._on_error, count=self._count)
        code = Emitter(self._functions, names, scope)(expr)
        self._count = names.count
        used = {name: value for name, value in names.bound.items() if name in code.source}
        return Compiled(code.source, code.type, used)


def infer_type(
    expr: N.Expression, types: Mapping[str, T.SqlType], functions: FunctionRegistry
) -> T.SqlType | None:
    """Type of an expression over columns of these types, None for NULL. Aggregates and table functions may occur.
    Raises StatementError with ksqlDB's message."""
    scope = {name: Variable(f"v{i}", kind) for i, (name, kind) in enumerate(types.items())}
    return Emitter(functions, Names("t"), scope, types_only=True)(expr).type


def coerce_source(source: str, from_type: T.SqlType | None, to_type: T.SqlType) -> Compiled:
    """An implicit cast of the value that `source` yields; raises at run time where the value does not fit."""
    names = Names(f"co{next(_SERIAL)}")
    code = casts.cast(names, Code(source, from_type, True, False), to_type)
    return Compiled(code.source, to_type, names.bound)


def compile_function(
    exprs: Sequence[N.Expression],
    columns: Sequence[Any],
    functions: FunctionRegistry,
    on_error: OnError | None = None,
) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """A function from a row, in the order of `columns`, to the values of the expressions. It raises what they raise,
    unless `on_error` is given: then that hears of it and the value is None."""
    compiler = ExpressionCompiler(functions, "x", on_error)
    scope = {c.name: Variable(f"v{i}", c.type) for i, c in enumerate(columns)}
    globals_: dict[str, object] = {}
    texts: list[str] = []
    for expr in exprs:
        made = compiler.compile(expr, scope)
        globals_.update(made.names)
        texts.append(made.source)
    if on_error is not None:
        for i, expr in enumerate(exprs):
            globals_[f"attempt{i}"] = runtime.attempt(f"Error computing expression {shown(expr)}", on_error)
        texts = [f"attempt{i}(lambda: {text})" for i, text in enumerate(texts)]
    unpack = f"{', '.join(v.source for v in scope.values())}, = row" if scope else "pass"
    body = f"def evaluate(row):\n    {unpack}\n    return ({', '.join(texts)}{',' if texts else ''})\n"
    exec(body, globals_)
    function: Callable[[Sequence[Any]], tuple[Any, ...]] = globals_["evaluate"]  # type: ignore[assignment]
    return function
