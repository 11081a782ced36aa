"""Walking and rewriting expressions, whatever their node type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

from ksqlkit.dialect import nodes as N

Visit = Callable[[N.Expression], N.Expression | None]


_PARTS: dict[type[N.Expression], tuple[str, ...]] = {}


def _parts(kind: type[N.Expression]) -> tuple[str, ...]:
    """The names of a kind's fields, its place in the text left out."""
    found = _PARTS.get(kind)
    if found is None:
        found = _PARTS[kind] = tuple(f.name for f in fields(kind) if f.name != "span")
    return found


def _nodes(value: object) -> Iterator[N.Expression]:
    if isinstance(value, N.Expression):
        yield value
    elif isinstance(value, N.When):
        yield value.condition
        yield value.result
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)


def children(expr: N.Expression) -> Iterator[N.Expression]:
    """The direct sub-expressions, in the order they are written."""
    for name in _parts(type(expr)):
        yield from _nodes(getattr(expr, name))


def walk(expr: N.Expression) -> Iterator[N.Expression]:
    """The expression and everything below it, outermost first."""
    yield expr
    for child in children(expr):
        yield from walk(child)


def columns_of(*exprs: N.Expression) -> tuple[N.ColumnRef, ...]:
    """The distinct column references, in the order of first use."""
    return tuple(dict.fromkeys(e for expr in exprs for e in walk(expr) if isinstance(e, N.ColumnRef)))


def rewrite(expr: N.Expression, visit: Visit) -> N.Expression:
    """A copy in which every node for which `visit` answers an expression is replaced by it, outermost first.

    A replacement is not visited again. Nodes without a changed child are shared, not copied.
    """
    found = visit(expr)
    if found is not None:
        return found
    changes: dict[str, Any] = {}
    for name in _parts(type(expr)):
        old = getattr(expr, name)
        new = _rewrite_value(old, visit)
        if new is not old:
            changes[name] = new
    return replace(expr, **changes) if changes else expr


def _rewrite_value(value: Any, visit: Visit) -> Any:
    if isinstance(value, N.Expression):
        return rewrite(value, visit)
    if isinstance(value, N.When):
        condition, result = rewrite(value.condition, visit), rewrite(value.result, visit)
        if condition is value.condition and result is value.result:
            return value
        return replace(value, condition=condition, result=result)
    if isinstance(value, tuple):
        items = tuple(_rewrite_value(item, visit) for item in value)
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    return value
