"""Expressions as ksqlDB shows them: every operation in its parentheses.

Where ksqlDB's own text would be read back as something else (a tiny decimal as a double, `-(1)` as -1, a quote
inside a quoted name), the text here is the one that means the node.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Iterable
from typing import Any, Final

from ksqlkit.dialect import nodes as n
from ksqlkit.dialect.names import string
from ksqlkit.dialect.printer.types import type_text

Quote = Callable[[str], str]


def expression(node: n.Expression, quote: Quote) -> str:
    """The text of an expression; `quote` decides how each name is written."""
    return _WRITERS[type(node)](node, quote)


def listed(items: Iterable[n.Expression], quote: Quote) -> str:
    """Expressions separated by commas."""
    return ", ".join(expression(item, quote) for item in items)


def double(value: float) -> str:
    """A DOUBLE in scientific notation with as few digits as tell it from its neighbours: 1.5E1."""
    sign, digits, exponent = decimal.Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits))
    power = exponent + len(text) - 1 if value else 0
    mantissa = text[0] + ("." + text[1:] if len(text) > 1 else "")
    return f"{'-' if sign else ''}{mantissa}E{power}"


def _column(node: n.ColumnRef, quote: Quote) -> str:
    return quote(node.name) if node.source is None else f"{quote(node.source)}.{quote(node.name)}"


def _call(node: n.FunctionCall, quote: Quote) -> str:
    star = not node.args and node.name == "COUNT"
    return f"{quote(node.name)}({'*' if star else listed(node.args, quote)})"


def _lambda(node: n.Lambda, quote: Quote) -> str:
    return f"({', '.join(map(quote, node.params))}) => {expression(node.body, quote)}"


def _signed(node: n.Signed, quote: Quote) -> str:
    text = expression(node.operand, quote)
    if node.sign == "-":
        if text[0] == "-":
            return f"- {text}"
        if text[0] in "0123456789." and not isinstance(node.operand, n.ColumnRef):
            return f"-({text})"
    return node.sign + text


def _base(node: n.Expression, quote: Quote) -> str:
    """What a subscript or field access stands behind."""
    text = expression(node, quote)
    return f"({text})" if isinstance(node, n.Signed | n.Lambda) else text


def _infix(node: n.Arithmetic | n.Comparison | n.Logical, quote: Quote) -> str:
    """Operators; a long chain (a OR b OR c ...) leans to the left and is walked, not descended."""
    chain: list[n.Arithmetic | n.Comparison | n.Logical] = []
    first: n.Expression = node
    while isinstance(first, n.Arithmetic | n.Comparison | n.Logical):
        chain.append(first)
        first = first.left
    rest = "".join(f" {link.op} {expression(link.right, quote)})" for link in reversed(chain))
    return "(" * len(chain) + expression(first, quote) + rest


def _like(node: n.Like, quote: Quote) -> str:
    escape = "" if node.escape is None else f" ESCAPE {string(node.escape)}"
    return f"({expression(node.operand, quote)} LIKE {expression(node.pattern, quote)}{escape})"


def _between(node: n.Between, quote: Quote) -> str:
    low, high = expression(node.low, quote), expression(node.high, quote)
    return f"({expression(node.operand, quote)} BETWEEN {low} AND {high})"


def _case(node: n.SearchedCase | n.SimpleCase, quote: Quote) -> str:
    parts = ["CASE"]
    if isinstance(node, n.SimpleCase):
        parts.append(expression(node.operand, quote))
    parts += [f"WHEN {expression(w.condition, quote)} THEN {expression(w.result, quote)}" for w in node.whens]
    if node.default is not None:
        parts.append(f"ELSE {expression(node.default, quote)}")
    return f"({' '.join(parts)} END)"


def _cast(node: n.Cast, quote: Quote) -> str:
    return f"CAST({expression(node.operand, quote)} AS {type_text(node.type, quote)})"


def _map(node: n.MapConstructor, quote: Quote) -> str:
    entries = (f"{expression(key, quote)}:={expression(value, quote)}" for key, value in node.entries)
    return f"MAP({', '.join(entries)})"


def _struct(node: n.StructConstructor, quote: Quote) -> str:
    fields = (f"{quote(name)}:={expression(value, quote)}" for name, value in node.fields)
    return f"STRUCT({', '.join(fields)})"


_WRITERS: Final[dict[type[n.Expression], Callable[[Any, Quote], str]]] = {
    n.NullLiteral: lambda _, __: "null",
    n.BooleanLiteral: lambda node, _: "true" if node.value else "false",
    n.IntegerLiteral: lambda node, _: str(node.value),
    n.LongLiteral: lambda node, _: str(node.value),
    n.DecimalLiteral: lambda node, _: _decimal(node.value),
    n.DoubleLiteral: lambda node, _: double(node.value),
    n.StringLiteral: lambda node, _: string(node.value),
    n.ColumnRef: _column,
    n.LambdaVariable: lambda node, quote: quote(node.name),
    n.Lambda: _lambda,
    n.FunctionCall: _call,
    n.IntervalUnit: lambda node, _: node.unit,
    n.Arithmetic: _infix,
    n.Comparison: _infix,
    n.Logical: _infix,
    n.Signed: _signed,
    n.Not: lambda node, quote: f"(NOT {expression(node.operand, quote)})",
    n.IsNull: lambda node, quote: f"({expression(node.operand, quote)} IS NULL)",
    n.IsNotNull: lambda node, quote: f"({expression(node.operand, quote)} IS NOT NULL)",
    n.Between: _between,
    n.InList: lambda node, quote: f"({expression(node.operand, quote)} IN ({listed(node.items, quote)}))",
    n.Like: _like,
    n.SearchedCase: _case,
    n.SimpleCase: _case,
    n.Cast: _cast,
    n.Subscript: lambda node, quote: f"{_base(node.base, quote)}[{expression(node.index, quote)}]",
    n.Dereference: lambda node, quote: f"{_base(node.base, quote)}->{quote(node.field)}",
    n.ArrayConstructor: lambda node, quote: f"ARRAY[{listed(node.items, quote)}]",
    n.MapConstructor: _map,
    n.StructConstructor: _struct,
}


def _decimal(value: decimal.Decimal) -> str:
    """All digits, and always a point: without one it would be read as a whole number."""
    text = format(value, "f")
    return text if "." in text else text + "."
