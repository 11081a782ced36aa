"""sqlglot's expressions to ksqlkit's tree, also those that came from other dialects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlglot import exp

from ksqlkit.dialect import nodes as n
from ksqlkit.dialect.glot.names import name_of
from ksqlkit.dialect.glot.to_expressions import FUNCTIONS, OPERATORS
from ksqlkit.dialect.glot.types import from_type
from ksqlkit.dialect.parser import parse_expression_text
from ksqlkit.errors import StatementError

_NAMES: Final[dict[type[exp.Expr], str]] = {kind: name for name, kind in FUNCTIONS.items()}
_SIGNS: Final = {kind: sign for sign, kind in OPERATORS.items()}


def from_expression(node: exp.Expr) -> n.Expression:
    """The same expression as ksqlDB's. Raises StatementError where ksqlDB has nothing like it."""
    kind = type(node)
    reader = _READERS.get(kind)
    if reader is not None:
        found: n.Expression = reader(node)
        return found
    if kind in _SIGNS:
        return _infix(node)
    if isinstance(node, exp.Func):
        return n.FunctionCall(_NAMES.get(kind) or node.sql_name().upper(), _arguments(node))
    raise StatementError(f"ksqlDB has nothing like {kind.__name__}: {node.sql()}")


def many(nodes: list[exp.Expr]) -> tuple[n.Expression, ...]:
    """Several expressions."""
    return tuple(from_expression(node) for node in nodes)


def _arguments(node: exp.Expr) -> tuple[n.Expression, ...]:
    """What a function is given, in the order that sqlglot declares."""
    found: list[exp.Expr] = []
    for key in node.arg_types:
        given = node.args.get(key)
        if isinstance(given, list):
            found += given
        elif isinstance(given, exp.Expr):
            found.append(given)
    return many(found)


def _infix(node: Any) -> n.Expression:
    sign: Any = _SIGNS[type(node)]
    left, right = from_expression(node.this), from_expression(node.expression)
    if sign in ("AND", "OR"):
        return n.Logical(sign, left, right)
    if sign in ("+", "-", "*", "/", "%"):
        return n.Arithmetic(sign, left, right)
    return n.Comparison(sign, left, right)


def _literal(node: exp.Expr) -> n.Expression:
    return n.StringLiteral(node.name) if node.args.get("is_string") else parse_expression_text(node.name)


def _negative(node: exp.Expr) -> n.Expression:
    if isinstance(node.this, exp.Literal):
        return parse_expression_text("-" + node.this.name)
    return n.Signed("-", from_expression(node.this))


def _column(node: exp.Expr) -> n.Expression:
    table = node.args.get("table")
    return n.ColumnRef(name_of(node.this), name_of(table) if table else None)


def _not(node: exp.Expr) -> n.Expression:
    inside = node.this
    if isinstance(inside, exp.Is) and isinstance(inside.expression, exp.Null):
        return n.IsNotNull(from_expression(inside.this))
    return n.Not(from_expression(inside))


def _is(node: exp.Expr) -> n.Expression:
    if isinstance(node.expression, exp.Null):
        return n.IsNull(from_expression(node.this))
    return n.Comparison("=", from_expression(node.this), from_expression(node.expression))


def _call(node: exp.Expr) -> n.Expression:
    if node.name == "+":
        return n.Signed("+", from_expression(node.expressions[0]))
    return n.FunctionCall(node.name.upper(), many(node.expressions))


def _count(node: exp.Expr) -> n.Expression:
    inside = node.this
    if isinstance(inside, exp.Distinct):
        return n.FunctionCall("COUNT_DISTINCT", many(inside.expressions))
    return n.FunctionCall("COUNT", () if isinstance(inside, exp.Star) else (from_expression(inside),))


def _escape(node: exp.Expr) -> n.Expression:
    like = node.this
    return n.Like(from_expression(like.this), from_expression(like.expression), node.expression.name)


def _in(node: exp.Expr) -> n.Expression:
    if not node.expressions:
        raise StatementError(
            f"ksqlDB has IN for lists only: {node.sql()}", hint="join the two sources instead"
        )
    return n.InList(from_expression(node.this), many(node.expressions))


def _case(node: exp.Expr) -> n.Expression:
    whens = tuple(n.When(from_expression(i.this), from_expression(i.args["true"])) for i in node.args["ifs"])
    given = node.args.get("default")
    default = None if given is None else from_expression(given)
    if node.this:
        return n.SimpleCase(from_expression(node.this), whens, default)
    return n.SearchedCase(whens, default)


def _bracket(node: exp.Expr) -> n.Expression:
    index = node.expressions[0]
    missing = 1 - (node.args.get("offset") or 0)
    found = from_expression(index)
    if missing and isinstance(found, n.IntegerLiteral) and found.value >= 0:
        found = n.IntegerLiteral(found.value + missing)
    return n.Subscript(from_expression(node.this), found)


def _map(node: exp.Expr) -> n.Expression:
    keys, values = node.args.get("keys"), node.args.get("values")
    pairs = zip(keys.expressions if keys else [], values.expressions if values else [], strict=True)
    return n.MapConstructor(tuple((from_expression(k), from_expression(v)) for k, v in pairs))


def _struct(node: exp.Expr) -> n.Expression:
    return n.StructConstructor(
        tuple((name_of(f.this), from_expression(f.expression)) for f in node.expressions)
    )


def _lambda(node: exp.Expr) -> n.Expression:
    return n.Lambda(tuple(name_of(param) for param in node.expressions), from_expression(node.this))


def _if(node: exp.Expr) -> n.Expression:
    given = node.args.get("false")
    when = n.When(from_expression(node.this), from_expression(node.args["true"]))
    return n.SearchedCase((when,), None if given is None else from_expression(given))


_READERS: Final[dict[type[exp.Expr], Callable[[Any], n.Expression]]] = {
    exp.Paren: lambda node: from_expression(node.this),
    exp.Null: lambda _: n.NullLiteral(),
    exp.Boolean: lambda node: n.BooleanLiteral(bool(node.this)),
    exp.Literal: _literal,
    exp.Neg: _negative,
    exp.Column: _column,
    exp.Identifier: lambda node: n.LambdaVariable(name_of(node)),
    exp.Var: lambda node: n.IntervalUnit(node.name.upper()),
    exp.Not: _not,
    exp.Is: _is,
    exp.Anonymous: _call,
    exp.Count: _count,
    exp.Lambda: _lambda,
    exp.Like: lambda node: n.Like(from_expression(node.this), from_expression(node.expression)),
    exp.Escape: _escape,
    exp.Between: lambda node: n.Between(
        from_expression(node.this), from_expression(node.args["low"]), from_expression(node.args["high"])
    ),
    exp.In: _in,
    exp.Case: _case,
    exp.If: _if,
    exp.Cast: lambda node: n.Cast(from_expression(node.this), from_type(node.args["to"])),
    exp.TryCast: lambda node: n.Cast(from_expression(node.this), from_type(node.args["to"])),
    exp.DPipe: lambda node: n.FunctionCall("CONCAT", many([node.this, node.expression])),
    exp.Concat: lambda node: n.FunctionCall("CONCAT", many(node.expressions)),
    exp.Bracket: _bracket,
    exp.Dot: lambda node: n.Dereference(from_expression(node.this), name_of(node.expression)),
    exp.Array: lambda node: n.ArrayConstructor(many(node.expressions)),
    exp.Map: _map,
    exp.Struct: _struct,
}
