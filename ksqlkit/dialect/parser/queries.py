"""SELECT: items, sources, joins, windows and the clauses behind them."""

from __future__ import annotations

from typing import Literal

from ksqlkit.dialect import nodes as n
from ksqlkit.dialect.lexer import DECIMAL, FLOAT, IDENTIFIER, INTEGER, tokenize
from ksqlkit.dialect.parser.cursor import NAMES, Cursor, whole
from ksqlkit.dialect.parser.expressions import expression, primary, value
from ksqlkit.dialect.words import UNITS


def query(p: Cursor) -> n.Query:
    """A whole SELECT; in a persistent query EMIT CHANGES is what no EMIT means."""
    start = p.i
    p.advance()
    items = [_select_item(p)]
    while p.accept(","):
        items.append(_select_item(p))
    p.end_of_list("FROM", several=len(items) > 1)
    source = _relation(p)
    window = _window(p) if p.accept("WINDOW") else None
    where = expression(p) if p.accept("WHERE") else None
    group_by = _keys(p, "GROUP BY") if p.accept("GROUP", "BY") else ()
    partition_by = _keys(p, "PARTITION BY") if p.accept("PARTITION", "BY") else ()
    having = expression(p) if p.accept("HAVING") else None
    emit: Literal["CHANGES", "FINAL"] | None = "CHANGES" if p.persistent else None
    if p.kind == "EMIT":
        p.advance()
        if p.kind == "CHANGES":
            emit = "CHANGES"
        elif p.kind == "FINAL":
            emit = "FINAL"
        else:
            p.expected("CHANGES", "FINAL")
        p.advance()
    limit = limit_clause(p)
    return n.Query(
        tuple(items),
        source,
        window,
        where,
        group_by,
        partition_by,
        having,
        emit,
        limit,
        span=p.span(start),
    )


def limit_clause(p: Cursor) -> int | None:
    """LIMIT n, or None."""
    return p.integer("LIMIT") if p.accept("LIMIT") else None


def _select_item(p: Cursor) -> n.SelectItem:
    start = p.i
    if p.accept("*"):
        return n.SelectAll(span=p.span(start))
    if p.kind in NAMES and p.peek() == "." and p.peek(2) == "*":
        token = p.token
        source = p.name()
        p.move(p.i + 2)
        p.qualifiers.append((source, token))
        return n.SelectAll(source, span=p.span(start))
    item = expression(p)
    if p.kind == "->" and p.peek() == "*":
        p.move(start)
        base = primary(p)
        if p.kind != "->":
            p.no_viable()
        p.move(p.i + 2)
        return n.SelectStructAll(base, span=p.span(start))
    alias: str | None = None
    if p.accept("AS"):
        if p.kind not in NAMES:
            p.no_expression()
        alias = p.name()
    elif p.kind in NAMES:
        alias = p.name()
    return n.SelectColumn(item, alias, span=p.span(start))


def _relation(p: Cursor) -> n.Source | n.Join:
    start = p.i
    left: n.Source | n.Join = _source(p)
    while p.kind in ("JOIN", "INNER", "LEFT", "RIGHT", "FULL"):
        kind: n.JoinType = "INNER"
        if p.kind == "INNER":
            p.advance()
        elif p.kind == "LEFT" or p.kind == "RIGHT" or p.kind == "FULL":
            kind = p.kind  # type: ignore[assignment]
            p.advance()
            p.accept("OUTER")
        p.words("JOIN")
        right = _source(p)
        within = _within(p) if p.kind == "WITHIN" else None
        p.expect("ON", *(("WITHIN",) if within is None else ()))
        condition = expression(p)
        left = n.Join(kind, left, right, condition, within, span=p.span(start))
    return left


def _source(p: Cursor) -> n.Source:
    start = p.i
    name = p.source_name()
    alias = name
    if p.accept("AS") or (p.kind in NAMES and not _clause_ahead(p)):
        alias = p.source_name()
        p.sources.add(name)
    p.sources.add(alias)
    return n.Source(name, alias, span=p.span(start))


def _clause_ahead(p: Cursor) -> bool:
    """EMIT and PARTITION are names unless they open their clause."""
    if p.kind == "EMIT":
        return p.peek() in ("CHANGES", "FINAL")
    return p.kind == "PARTITION" and p.peek() == "BY"


def _keys(p: Cursor, clause: str) -> tuple[n.Expression, ...]:
    """`a, b` or `(a, b)`; around a single key the parentheses belong to the expression."""
    start = p.i
    if p.accept("("):
        if p.kind == ")":
            p.reject(f"{clause} requires at least one expression")
        keys = [expression(p)]
        if p.kind == ",":
            while p.accept(","):
                keys.append(expression(p))
            p.end_of_list(")", several=True)
            return tuple(keys)
        p.move(start)
    found = [value(p)]
    while p.accept(","):
        found.append(value(p))
    return tuple(found)


def duration(p: Cursor) -> n.Duration:
    """`10 SECONDS`."""
    start = p.i
    negative = p.accept("-")
    token = p.token
    if p.kind is not INTEGER:
        if p.kind in (DECIMAL, FLOAT):
            p.reject(f'For input string: "{token.text}"', token)
        p.no_viable()
    p.advance()
    size = whole("-" * negative + token.text)
    if size is None:
        p.reject(f'For input string: "{token.text}"', token, hint="the number needs more than 64 bits")
    unit = UNITS.get(p.kind)
    if unit is None:
        p.no_viable(hint="time units are DAYS, HOURS, MINUTES, SECONDS and MILLISECONDS")
    p.advance()
    return n.Duration(size, unit, span=p.span(start))


def parse_window_text(text: str) -> n.Window:
    """A window on its own: `TUMBLING (SIZE 1 HOUR)`."""
    return _window(Cursor(tokenize(text)))


def parse_within_text(text: str) -> n.Within:
    """A join's time limits on their own: `WITHIN 1 HOUR`."""
    return _within(Cursor(tokenize(text)))


def _window(p: Cursor) -> n.Window:
    start = p.i
    if p.kind is IDENTIFIER and p.peek() in ("TUMBLING", "HOPPING", "SESSION"):
        p.advance()  # a window may be named; nothing reads the name
    kind = p.kind
    if kind not in ("TUMBLING", "HOPPING", "SESSION"):
        p.no_viable(hint="windows are TUMBLING, HOPPING and SESSION")
    p.advance()
    p.expect("(")
    if kind != "SESSION":
        p.expect("SIZE")
    size = duration(p)
    advance = None
    if kind == "HOPPING":
        p.expect(",")
        p.words("ADVANCE", "BY")
        advance = duration(p)
    retention = grace = None
    if p.accept(",", "RETENTION"):
        retention = duration(p)
    if p.accept(",", "GRACE", "PERIOD"):
        grace = duration(p)
    if p.kind == ",":
        p.no_viable(p.tokens[p.i + 1])
    p.expect(")", ",")
    span = p.span(start)
    if kind == "SESSION":
        return n.SessionWindow(size, retention=retention, grace=grace, span=span)
    if advance is not None:
        return n.HoppingWindow(size, advance, retention=retention, grace=grace, span=span)
    return n.TumblingWindow(size, retention=retention, grace=grace, span=span)


def _within(p: Cursor) -> n.Within:
    start = p.i
    p.advance()
    if p.accept("("):
        before = duration(p)
        p.expect(",")
        after = duration(p)
        p.expect(")")
    else:
        before = after = duration(p)
    grace = duration(p) if p.accept("GRACE", "PERIOD") else None
    return n.Within(before, after, grace, span=p.span(start))
