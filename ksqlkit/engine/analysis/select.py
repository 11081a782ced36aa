"""Select items spelled out: `*`, `source.*` and `struct->*` become one named expression a column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import types as T
from ksqlkit.engine.analysis.text import fail
from ksqlkit.engine.analysis.types import Types


@dataclass(frozen=True, slots=True)
class Selected:
    """One column of a result: its name, and its expression over the input's column names."""

    name: str
    expression: N.Expression


def expand_select(
    items: Iterable[N.SelectItem],
    *,
    star: Callable[[str | None], Sequence[str]],
    types: Types,
    resolve: Callable[[N.Expression], N.Expression],
) -> list[Selected]:
    """The columns of a qualified select list, in order.

    `star` names the input's columns that `*` (None) or `alias.*` stands for, `types` has the input's columns,
    `resolve` turns a qualified expression into one over the input's names.
    """
    out: list[Selected] = []
    for item in items:
        if isinstance(item, N.SelectAll):
            out += [Selected(name, N.ColumnRef(name, span=item.span)) for name in star(item.source)]
        elif isinstance(item, N.SelectStructAll):
            base = resolve(item.base)
            out += [Selected(name, N.Dereference(base, name)) for name, _ in _struct(base, types).fields]
        else:
            assert item.alias is not None, "qualify_query names every select expression"
            out.append(Selected(item.alias, resolve(item.expression)))
    return out


def _struct(expr: N.Expression, types: Types) -> T.Struct:
    """The struct type of `a` or `a->b->c`; other expressions cannot be spread."""
    if isinstance(expr, N.ColumnRef):
        found = types.get(expr.name)
        if isinstance(found, T.Struct):
            return found
        raise fail(f"Column `{expr.name}` is not a STRUCT type.", expr)
    if isinstance(expr, N.Dereference):
        field = _struct(expr.base, types).field(expr.field)
        if field is None:
            raise fail(f"Field {expr.field} was not found on STRUCT.", expr)
        if not isinstance(field, T.Struct):
            raise fail(f"Field {expr.field} is not a STRUCT type.", expr)
        return field
    raise fail("`->*` can only follow a column or a field of a column.", expr)


class Projection:
    """What a select list contains, to find out whether keys are in it."""

    def __init__(
        self, items: Iterable[N.SelectItem], resolve: Callable[[N.Expression], N.Expression]
    ) -> None:
        self._all = False
        self._sources: set[str] = set()
        self._exprs: set[N.Expression] = set()
        for item in items:
            if isinstance(item, N.SelectAll):
                self._all = self._all or item.source is None
                self._sources |= {item.source} if item.source else set()
            else:
                expr = item.base if isinstance(item, N.SelectStructAll) else item.expression
                self._exprs |= {expr, resolve(expr)}

    def __contains__(self, expr: N.Expression) -> bool:
        """Whether `*`, the expression's `source.*`, or the expression itself (either form) is selected."""
        if self._all or expr in self._exprs:
            return True
        return isinstance(expr, N.ColumnRef) and expr.source in self._sources
