"""Expressions of ksqlkit's tree to sqlglot's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlglot import exp

from ksqlkit.dialect import nodes as n
from ksqlkit.dialect.glot.names import identifier
from ksqlkit.dialect.glot.types import to_type
from ksqlkit.dialect.printer.expressions import double

OPERATORS: Final[dict[str, type[exp.Binary]]] = {
    "+": exp.Add,
    "-": exp.Sub,
    "*": exp.Mul,
    "/": exp.Div,
    "%": exp.Mod,
    "=": exp.EQ,
    "<>": exp.NEQ,
    "<": exp.LT,
    "<=": exp.LTE,
    ">": exp.GT,
    ">=": exp.GTE,
    "IS DISTINCT FROM": exp.NullSafeNEQ,
    "IS NOT DISTINCT FROM": exp.NullSafeEQ,
    "AND": exp.And,
    "OR": exp.Or,
}
FUNCTIONS: Final[dict[str, type[exp.Func]]] = {
    "SUM": exp.Sum,
    "AVG": exp.Avg,
    "MIN": exp.Min,
    "MAX": exp.Max,
    "ABS": exp.Abs,
    "UCASE": exp.Upper,
    "LCASE": exp.Lower,
    "LEN": exp.Length,
    "SQRT": exp.Sqrt,
    "EXP": exp.Exp,
    "SIGN": exp.Sign,
}
"""Functions of one argument that sqlglot knows and other dialects may spell differently."""

_LOOSE: Final = (n.Arithmetic, n.Comparison, n.Logical, n.Not, n.Between, n.InList, n.Like, n.IsNull)
_COMPOUND: Final = (*_LOOSE, n.IsNotNull, n.Signed, n.Lambda)


def to_expression(node: n.Expression) -> exp.Expr:
    """The same expression as a sqlglot tree; operations inside operations stand in parentheses."""
    return _WRITERS[type(node)](node)


def operand(node: n.Expression) -> exp.Expr:
    """An expression where only something simple may stand without parentheses."""
    found = to_expression(node)
    return exp.Paren(this=found) if isinstance(node, _COMPOUND) else found


def _many(nodes: tuple[n.Expression, ...]) -> list[exp.Expr]:
    return [to_expression(node) for node in nodes]


def _number(text: str) -> exp.Expr:
    return exp.Neg(this=exp.Literal.number(text[1:])) if text[0] == "-" else exp.Literal.number(text)


def _column(node: n.ColumnRef) -> exp.Expr:
    source = None if node.source is None else identifier(node.source)
    return exp.Column(this=identifier(node.name), table=source)


def _call(node: n.FunctionCall) -> exp.Expr:
    if node.name == "COUNT" and len(node.args) < 2:
        return exp.Count(this=to_expression(node.args[0]) if node.args else exp.Star())
    args = _many(node.args)
    if node.name in FUNCTIONS and len(args) == 1:
        return FUNCTIONS[node.name](this=args[0])
    if node.name == "COALESCE" and args:
        return exp.Coalesce(this=args[0], expressions=args[1:])
    return exp.Anonymous(this=node.name, expressions=args)


def _infix(node: n.Arithmetic | n.Comparison | n.Logical) -> exp.Expr:
    return OPERATORS[node.op](this=operand(node.left), expression=operand(node.right))


def _signed(node: n.Signed) -> exp.Expr:
    inside = to_expression(node.operand)
    if isinstance(node.operand, n.ColumnRef | n.FunctionCall) and node.sign == "-":
        return exp.Neg(this=inside)
    if node.sign == "-":
        return exp.Neg(this=exp.Paren(this=inside))
    return exp.Anonymous(this="+", expressions=[inside])  # sqlglot has no plus sign


def _like(node: n.Like) -> exp.Expr:
    found = exp.Like(this=operand(node.operand), expression=operand(node.pattern))
    return (
        found if node.escape is None else exp.Escape(this=found, expression=exp.Literal.string(node.escape))
    )


def _case(node: n.SearchedCase | n.SimpleCase) -> exp.Expr:
    ifs = [exp.If(this=to_expression(w.condition), true=to_expression(w.result)) for w in node.whens]
    default = None if node.default is None else to_expression(node.default)
    this = to_expression(node.operand) if isinstance(node, n.SimpleCase) else None
    return exp.Case(this=this, ifs=ifs, default=default)


def _map(node: n.MapConstructor) -> exp.Expr:
    keys = exp.Array(expressions=[to_expression(key) for key, _ in node.entries])
    return exp.Map(
        keys=keys, values=exp.Array(expressions=[to_expression(value) for _, value in node.entries])
    )


def _struct(node: n.StructConstructor) -> exp.Expr:
    fields = [exp.PropertyEQ(this=identifier(k), expression=to_expression(v)) for k, v in node.fields]
    return exp.Struct(expressions=fields)


_WRITERS: Final[dict[type[n.Expression], Callable[[Any], exp.Expr]]] = {
    n.NullLiteral: lambda _: exp.Null(),
    n.BooleanLiteral: lambda node: exp.Boolean(this=node.value),
    n.IntegerLiteral: lambda node: _number(str(node.value)),
    n.LongLiteral: lambda node: _number(str(node.value)),
    n.DecimalLiteral: lambda node: _number(_decimal(node)),
    n.DoubleLiteral: lambda node: _number(double(node.value)),
    n.StringLiteral: lambda node: exp.Literal.string(node.value),
    n.ColumnRef: _column,
    n.LambdaVariable: lambda node: identifier(node.name),
    n.Lambda: lambda node: exp.Lambda(
        this=to_expression(node.body), expressions=[identifier(name) for name in node.params]
    ),
    n.FunctionCall: _call,
    n.IntervalUnit: lambda node: exp.Var(this=node.unit),
    n.Arithmetic: _infix,
    n.Comparison: _infix,
    n.Logical: _infix,
    n.Signed: _signed,
    n.Not: lambda node: exp.Not(this=operand(node.operand)),
    n.IsNull: lambda node: exp.Is(this=operand(node.operand), expression=exp.Null()),
    n.IsNotNull: lambda node: exp.Not(this=exp.Is(this=operand(node.operand), expression=exp.Null())),
    n.Between: lambda node: exp.Between(
        this=operand(node.operand), low=operand(node.low), high=operand(node.high)
    ),
    n.InList: lambda node: exp.In(this=operand(node.operand), expressions=_many(node.items)),
    n.Like: _like,
    n.SearchedCase: _case,
    n.SimpleCase: _case,
    n.Cast: lambda node: exp.Cast(this=to_expression(node.operand), to=to_type(node.type)),
    n.Subscript: lambda node: exp.Bracket(
        this=operand(node.base), expressions=[to_expression(node.index)], offset=1
    ),
    n.Dereference: lambda node: exp.Dot(this=operand(node.base), expression=identifier(node.field)),
    n.ArrayConstructor: lambda node: exp.Array(expressions=_many(node.items)),
    n.MapConstructor: _map,
    n.StructConstructor: _struct,
}


def _decimal(node: n.DecimalLiteral) -> str:
    text = format(node.value, "f")
    return text if "." in text else text + "."
