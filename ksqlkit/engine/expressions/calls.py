"""Function calls: overload resolution, implicit casts of arguments, lambdas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import types as T
from ksqlkit.engine.expressions import casts
from ksqlkit.engine.expressions.code import Code, Variable
from ksqlkit.engine.functions.contract import INTERVAL_UNIT, ArgType, LambdaType, ResolvedScalar
from ksqlkit.errors import StatementError

if TYPE_CHECKING:
    from ksqlkit.engine.expressions.emitter import Emitter


def call(emit: Emitter, node: N.FunctionCall) -> Code:
    """Code of a call. Raises StatementError for unknown functions and arguments that fit no overload."""
    kind = emit.functions.kind(node.name)
    codes: list[Code | None] = [None if isinstance(arg, N.Lambda) else emit(arg) for arg in node.args]
    types: list[ArgType] = [
        LambdaType((None,) * len(arg.params), None) if isinstance(arg, N.Lambda) else _type(code)
        for arg, code in zip(node.args, codes, strict=True)
    ]
    if kind in ("AGGREGATE", "TABLE"):
        if not emit.types_only:
            raise StatementError(f"{node.name} is no scalar function and cannot be used here.")
        if kind == "TABLE":
            return Code("None", emit.functions.table(node.name, types).returns)
        literals = [arg.value for arg in node.args if hasattr(arg, "value")]
        return Code("None", emit.functions.aggregate(node.name, types, literals).returns)
    for index, arg in enumerate(node.args):
        if isinstance(arg, N.Lambda):
            codes[index], types[index] = _lambda(emit, node, index, arg, types)
    resolved = emit.functions.scalar(node.name, types)
    arguments = [
        _argument(emit, node.args[i], code, resolved.params[i])
        for i, code in enumerate(codes)
        if code is not None
    ]
    return _invoke(emit, resolved, arguments)


def _type(code: Code | None) -> T.SqlType | None:
    return code.type if code is not None else None


def _lambda(
    emit: Emitter, node: N.FunctionCall, index: int, arg: N.Lambda, types: list[ArgType]
) -> tuple[Code, LambdaType]:
    expected = emit.functions.lambda_params(node.name, index, types)
    if len(expected) != len(arg.params):
        raise StatementError(
            f"Was expecting {len(expected)} arguments but found {len(arg.params)}, "
            f"[{', '.join(arg.params)}]. Check your lambda statement."
        )
    params = {
        name: Variable(emit.names.temp(), kind) for name, kind in zip(arg.params, expected, strict=True)
    }
    body = emit.within(params)(arg.body)
    source = f"(lambda {', '.join(p.source for p in params.values())}: {body.source})"
    return Code(source, None, nullable=False, raises=False), LambdaType(tuple(expected), body.type)


def _argument(emit: Emitter, node: N.Expression, code: Code, param: ArgType) -> Code:
    if isinstance(node, N.FunctionCall):
        code = emit.names.guard(code, node.name)
    elif isinstance(node, N.Dereference):
        code = emit.names.guard(code, node.field)
    if (
        code.type is None
        or param is None
        or isinstance(param, LambdaType)
        or INTERVAL_UNIT in (code.type, param)
    ):
        return code
    if code.type == param:
        return code
    return emit.names.guard(casts.cast(emit.names, code, param), str(param))


def _invoke(emit: Emitter, resolved: ResolvedScalar, arguments: list[Code]) -> Code:
    names = emit.names
    nullable = [code for code in arguments if code.nullable]
    raises = any(code.raises for code in arguments)
    if resolved.null_propagates and any(code.type is None and code.constant for code in arguments):
        return Code("None", resolved.returns, True, raises)
    if not nullable or not (resolved.null_propagates or resolved.inline):
        texts = [code.source for code in arguments]
        if resolved.inline is not None:
            return Code(f"({resolved.inline.format(*texts)})", resolved.returns, True, raises)
        function, joined = names.bind(resolved.fn), ", ".join(texts)
        return Code(
            f"{function}({joined})",
            resolved.returns,
            True,
            True,
            None if raises else ("", function, joined),
        )
    pairs = [names.once(code) for code in arguments]
    texts = [again for _, again in pairs]
    # Every argument is computed before any is looked at, as on the server; plain names need no computing.
    named = [first != again for first, again in pairs]
    tests = [
        f"{first} is None"
        for code, (first, _), name in zip(arguments, pairs, named, strict=True)
        if code.nullable or name
    ]
    some_null = " | ".join(f"({test})" for test in tests) if any(named[1:]) else " or ".join(tests)
    function = ""
    if resolved.inline is None or not resolved.null_propagates:
        function = f"{names.bind(resolved.fn)}({', '.join(texts)})"
    plain = function if resolved.inline is None else f"({resolved.inline.format(*texts)})"
    empty = "None" if resolved.null_propagates else function
    return Code(f"({empty} if {some_null} else {plain})", resolved.returns, True, raises or bool(function))
