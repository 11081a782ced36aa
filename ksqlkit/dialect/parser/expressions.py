"""Expressions: precedence climbing over the token list."""

from __future__ import annotations

import decimal
import math
from typing import Final, Literal, NoReturn, cast

from ksqlkit.dialect import nodes as n
from ksqlkit.dialect.lexer import DECIMAL, EOF, FLOAT, INTEGER, STRING, VARIABLE, Token, unquote
from ksqlkit.dialect.parser.cursor import NAMES, Cursor, whole
from ksqlkit.dialect.parser.types import sql_type
from ksqlkit.dialect.words import NON_RESERVED, UNITS

_COMPARE: Final = frozenset({"=", "<>", "<", "<=", ">", ">="})
_NUMBERS: Final = frozenset({INTEGER, DECIMAL, FLOAT})
_BINARY: Final = {"||": 1, "+": 2, "-": 2, "*": 3, "/": 3, "%": 3}
_UNARY: Final = 4


def expression(p: Cursor, tightest: int = 0) -> n.Expression:
    """A boolean or value expression; `tightest` 2 stops before OR, 3 before AND as well."""
    start = p.i
    left: n.Expression
    if p.kind == "NOT":
        p.advance()
        operand = expression(p, 3)
        left = n.Not(operand, span=p.span(start))
    else:
        left = _predicated(p)
    while True:
        if p.kind == "AND" and tightest <= 2:
            p.advance()
            right = expression(p, 3)
            left = n.Logical("AND", left, right, span=p.span(start))
        elif p.kind == "OR" and tightest <= 1:
            p.advance()
            right = expression(p, 2)
            left = n.Logical("OR", left, right, span=p.span(start))
        else:
            return left


def _predicated(p: Cursor) -> n.Expression:
    """A value with at most one comparison or predicate behind it: `a = b = c` is not SQL."""
    start = p.i
    left = value(p)
    kind = p.kind
    if kind in _COMPARE:
        p.advance()
        right = value(p)
        return n.Comparison(cast(n.CompareOp, kind), left, right, span=p.span(start))
    if kind == "IS":
        return _is(p, left, start)
    negated = kind == "NOT" and p.peek() in ("BETWEEN", "IN", "LIKE")
    if negated:
        p.advance()
        kind = p.kind
    result: n.Expression
    if kind == "BETWEEN":
        p.advance()
        low = value(p)
        p.expect("AND")
        high = value(p)
        result = n.Between(left, low, high, span=p.span(start))
    elif kind == "IN":
        p.advance()
        p.expect("(")
        items = [expression(p)]
        while p.accept(","):
            items.append(expression(p))
        p.end_of_list(")", several=len(items) > 1)
        result = n.InList(left, tuple(items), span=p.span(start))
    elif kind == "LIKE":
        p.advance()
        pattern = value(p)
        escape = _escape(p) if p.kind == "ESCAPE" else None
        result = n.Like(left, pattern, escape, span=p.span(start))
    else:
        return left
    return n.Not(result, span=result.span) if negated else result


def _is(p: Cursor, left: n.Expression, start: int) -> n.Expression:
    p.advance()
    negated = p.accept("NOT")
    if p.accept("NULL"):
        return n.IsNotNull(left, span=p.span(start)) if negated else n.IsNull(left, span=p.span(start))
    if not p.accept("DISTINCT"):
        p.expected(*(("DISTINCT", "NULL") if negated else ("DISTINCT", "NOT", "NULL")))
    p.expect("FROM")
    right = value(p)
    result = n.Comparison("IS DISTINCT FROM", left, right, span=p.span(start))
    return n.Not(result, span=result.span) if negated else result


def _escape(p: Cursor) -> str:
    p.advance()
    token = p.token
    escape = p.string()
    if len(escape) != 1:
        line, column = p.text.place(token.start)
        p.reject(
            f"Optional[Line: {line}, Col: {column}]: Expected single character escape but got: {escape}",
            token,
        )
    return escape


def value(p: Cursor, tightest: int = 0) -> n.Expression:
    """Arithmetic and concatenation; operators of `tightest` or looser are left to the caller."""
    start = p.i
    left: n.Expression
    kind = p.kind
    if (kind == "-" or kind == "+") and not (kind == "-" and p.peek() in _NUMBERS):
        p.advance()
        operand = value(p, _UNARY)
        left = n.Signed(cast(Literal["+", "-"], kind), operand, span=p.span(start))
    else:
        left = primary(p)
    while True:
        kind = p.kind
        strength = _BINARY.get(kind, 0)
        if strength <= tightest:
            if kind == "AT":
                p.reject(
                    "not yet implemented",
                    hint="ksqlDB has no AT TIME ZONE; use CONVERT_TZ or FORMAT_TIMESTAMP",
                )
            return left
        p.advance()
        right = value(p, strength)
        if kind == "||":
            left = n.FunctionCall("CONCAT", (left, right), span=p.span(start))
        else:
            left = n.Arithmetic(cast(Literal["+", "-", "*", "/", "%"], kind), left, right, span=p.span(start))


def primary(p: Cursor) -> n.Expression:
    """A literal, name, call or constructor with its subscripts and field accesses."""
    start = p.i
    base = _atom(p)
    while True:
        if p.kind == "[":
            p.advance()
            index = value(p)
            p.expect("]")
            base = n.Subscript(base, index, span=p.span(start))
        elif p.kind == "->" and p.peek() != "*":
            p.advance()
            field = p.name()
            base = n.Dereference(base, field, span=p.span(start))
        else:
            return base


def literal(p: Cursor) -> n.Expression:
    """A constant: NULL, a number with an optional minus, TRUE, FALSE or a string."""
    start, kind = p.i, p.kind
    if kind is STRING:
        token = p.advance()
        return n.StringLiteral(unquote(token.text), span=p.span(start))
    if kind in _NUMBERS or kind == "-":
        return _number(p)
    if kind == "TRUE" or kind == "FALSE":
        p.advance()
        return n.BooleanLiteral(kind == "TRUE", span=p.span(start))
    if kind == "NULL":
        p.advance()
        return n.NullLiteral(span=p.span(start))
    if kind is not VARIABLE:
        p.no_expression()
    token = p.advance()
    if not p.template:
        p.reject(
            "not yet implemented",
            token,
            hint=f"the variable {token.text[2:-1]} has no value: DEFINE it first",
        )
    p.variables.append((token, True))
    return n.NullLiteral(span=p.span(start))  # any literal will do: the text is parsed again with the value


def _number(p: Cursor) -> n.Expression:
    start = p.i
    sign = "-" if p.accept("-") else ""
    if p.kind not in _NUMBERS:
        p.no_expression()
    token = p.advance()
    text, span = sign + token.text, p.span(start)
    if token.kind is INTEGER:
        fits = whole(text)
        if fits is None:
            _bad_number(p, f"Invalid numeric literal: {text}", token)
        kind = n.IntegerLiteral if -(2**31) <= fits < 2**31 else n.LongLiteral
        return kind(fits, span=span)
    if token.kind is DECIMAL:
        return n.DecimalLiteral(decimal.Decimal(text), span=span)
    number = float(text)
    if math.isinf(number):
        _bad_number(p, f"Number overflows DOUBLE: {text}", token)
    return n.DoubleLiteral(number, span=span)


def _bad_number(p: Cursor, message: str, token: Token) -> NoReturn:
    line, column = p.text.place(token.start)
    p.reject(f"line {line}:{column + 1}: {message}", token)  # ksqlDB counts one too many here


def _atom(p: Cursor) -> n.Expression:
    start, kind = p.i, p.kind
    if kind in NAMES:
        special = _SPECIAL.get(kind)
        if special is not None:
            found = special(p)
            if found is not None:
                return found
        following = p.peek()
        if kind is VARIABLE and following not in ("(", ".", STRING):
            return literal(p)
        if following == "(":
            return _call(p)
        if following is STRING:
            _typed_literal(p)
        token = p.token
        name = p.name()
        if p.kind == ".":
            p.advance()
            p.qualifiers.append((name, token))
            column = p.name()
            return n.ColumnRef(column, name, span=p.span(start))
        if name in p.lambda_params:
            return n.LambdaVariable(name, span=p.span(start))
        return n.ColumnRef(name, span=p.span(start))
    if kind == "(":
        p.advance()
        inside = expression(p)
        p.expect(")")
        return inside
    if kind == "CASE":
        return _case(p)
    if kind == "CAST":
        p.advance()
        p.expect("(")
        operand = expression(p)
        p.expect("AS")
        target = sql_type(p)
        p.expect(")")
        return n.Cast(operand, target, span=p.span(start))
    return literal(p)


def _typed_literal(p: Cursor) -> NoReturn:
    """`DATE '2024-01-01'` follows the grammar, and no type has such literals."""
    token = p.token
    name = p.name()
    line, column = p.text.place(token.start)
    place = f"Optional[Line: {line}, Col: {column}]"
    p.reject(
        f"Unknown type: {name}, location:{place}",
        token,
        hint=f"use a function, as in PARSE_{name}('...', 'yyyy-MM-dd')",
    )


def _call(p: Cursor) -> n.Expression:
    start = p.i
    name = p.name().upper()
    p.advance()
    args: list[n.Expression] = []
    if p.kind == "*":
        p.advance()
        p.expect(")")
        return n.FunctionCall(name, (), span=p.span(start))
    if not p.accept(")"):
        p.guessing += 1
        args.append(_argument(p))
        lambdas = False
        while p.accept(","):
            found = _lambda(p)
            if found is not None:
                lambdas = True
                args.append(found)
            elif lambdas:
                p.no_viable(hint="lambda functions are the last arguments of a call")
            else:
                args.append(_argument(p))
        p.expect(")", ",")
        p.guessing -= 1
    return n.FunctionCall(name, tuple(args), span=p.span(start))


def _argument(p: Cursor) -> n.Expression:
    kind = p.kind
    if kind in UNITS and kind not in NON_RESERVED:
        start = p.i
        p.advance()
        return n.IntervalUnit(UNITS[kind], span=p.span(start))
    return expression(p)


def _lambda(p: Cursor) -> n.Expression | None:
    """`x => body` or `(x, y) => body`, or None with nothing taken."""
    start = p.i
    params: list[str] = []
    if p.kind in NAMES and p.peek() == "=>":
        params.append(p.name())
    elif p.kind == "(" and p.peek() in NAMES:
        at = start + 2
        while p.tokens[at].kind == "," and p.tokens[at + 1].kind in NAMES:
            at += 2
        if p.tokens[at].kind != ")" or p.tokens[at + 1].kind != "=>":
            return None
        p.advance()
        params.append(p.name())
        while p.accept(","):
            params.append(p.name())
        p.advance()
    else:
        return None
    p.advance()
    outer = p.lambda_params
    p.lambda_params = outer | frozenset(params)
    body = expression(p)
    p.lambda_params = outer
    return n.Lambda(tuple(params), body, span=p.span(start))


def _case(p: Cursor) -> n.Expression:
    start = p.i
    p.advance()
    if p.kind in ("ELSE", "THEN", "END"):
        p.no_viable()
    operand = None if p.kind == "WHEN" else value(p)
    whens: list[n.When] = []
    while p.kind == "WHEN":
        at = p.i
        p.advance()
        condition = expression(p)
        p.expect("THEN")
        result = expression(p)
        whens.append(n.When(condition, result, span=p.span(at)))
    if not whens:
        p.expected("WHEN")
    default = expression(p) if p.accept("ELSE") else None
    p.expect("END", *(() if default is not None else ("WHEN", "ELSE")))
    if operand is None:
        return n.SearchedCase(tuple(whens), default, span=p.span(start))
    return n.SimpleCase(operand, tuple(whens), default, span=p.span(start))


def _array(p: Cursor) -> n.Expression | None:
    if p.peek() != "[":
        return None
    start = p.i
    p.move(start + 2)
    items: list[n.Expression] = []
    if not p.accept("]"):
        p.guessing += 1
        items.append(expression(p))
        while p.accept(","):
            items.append(expression(p))
        p.end_of_list("]", several=len(items) > 1)
        p.guessing -= 1
    return n.ArrayConstructor(tuple(items), span=p.span(start))


def _map(p: Cursor) -> n.Expression | None:
    if p.peek() != "(" or not _assignment_ahead(p):
        return None  # a column or function by the name of MAP
    start = p.i
    p.move(start + 2)
    entries: list[tuple[n.Expression, n.Expression]] = []
    if not p.accept(")"):
        while True:
            key = expression(p)
            p.expect(":=")
            entries.append((key, expression(p)))
            if not p.accept(","):
                break
        p.end_of_list(")", several=len(entries) > 1)
    return n.MapConstructor(tuple(entries), span=p.span(start))


def _assignment_ahead(p: Cursor) -> bool:
    """Whether `MAP(` goes on as `)` or as `key :=`; looks only at this level of brackets."""
    depth, ahead = 0, 2
    if p.peek(2) == ")":
        return True
    while (kind := p.peek(ahead)) != EOF:
        if depth == 0 and kind in (":=", ",", ")"):
            return kind == ":="
        depth += (kind in ("(", "[")) - (kind in (")", "]"))
        ahead += 1
    return False


def _struct(p: Cursor) -> n.Expression | None:
    if p.peek() != "(" or not (p.peek(2) == ")" or (p.peek(2) in NAMES and p.peek(3) == ":=")):
        return None
    start = p.i
    p.move(start + 2)
    fields: list[tuple[str, n.Expression]] = []
    if not p.accept(")"):
        while True:
            name = p.name()
            p.expect(":=")
            fields.append((name, expression(p)))
            if not p.accept(","):
                break
        p.end_of_list(")", several=len(fields) > 1)
    return n.StructConstructor(tuple(fields), span=p.span(start))


_SPECIAL: Final = {"ARRAY": _array, "MAP": _map, "STRUCT": _struct}
