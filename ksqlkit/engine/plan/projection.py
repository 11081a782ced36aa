"""The SELECT: which columns the result has, and which of them are its key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis.scope import unknown_column
from ksqlkit.engine.analysis.select import Selected, expand_select
from ksqlkit.engine.analysis.text import fail, listed
from ksqlkit.engine.analysis.trees import columns_of
from ksqlkit.engine.analysis.types import value_type
from ksqlkit.engine.plan.insert_casts import fitted
from ksqlkit.engine.plan.relation import Relation, Request
from ksqlkit.engine.plan.steps import Project
from ksqlkit.engine.schema import WINDOW_BOUNDS, Column, Schema

_HIDDEN = "KSQL_KEY"


def select(request: Request, relation: Relation) -> Relation:
    """The projection of a query that does not aggregate."""
    items = request.query.select
    selected = expand_select(items, star=relation.star, types=relation.types, resolve=relation.resolve)
    known = relation.types
    for item in selected:  # the name of a join key that ksqlDB made is known only now
        for ref in columns_of(item.expression):
            if ref.name not in known and ref.name not in relation.keys:
                raise unknown_column(ref, "")
    projected = project(request, relation, selected, "Project")
    if request.query.having is not None:  # ksqlDB ignores it
        raise fail("HAVING requires a GROUP BY clause.", request.query.having, hint="use WHERE instead")
    return projected


def project(request: Request, relation: Relation, selected: Sequence[Selected], name: str) -> Relation:
    """A Project step. A sink's key columns are those selected expressions that are the key; a client gets all
    selected columns, and the key under names of its own where it is not among them."""
    selected = fitted(request, selected)
    if request.sink is None:
        keys, values = _for_client(relation, selected)
    else:
        keys, values = _for_sink(relation, selected)
    types, functions = relation.types, request.functions
    key = tuple(Column(s.name, types[_ref(s)]) for s in keys)
    value = tuple(Column(s.name, value_type(s.expression, types, functions)) for s in values)
    if request.sink is None:
        shown = [(s, Column(s.name, value_type(s.expression, types, functions))) for s in selected]
        _check_duplicates("key", [(s, c) for s, c in shown if _names_key(s, relation)])
        _check_duplicates("value", shown)
    else:
        made = list(zip((*keys, *values), (*key, *value), strict=True))
        _check_duplicates("key", made[: len(key)])
        _check_duplicates("value", made)
        if not value:
            raise fail(
                "The projection contains no value columns.", request.query, hint="select more than the key"
            )
    step = Project(
        name,
        Schema(key, value),
        relation.step,
        tuple(s.expression for s in keys),
        tuple(s.expression for s in values),
    )
    return replace(
        relation, step=step, keys={c.name: c.name for c in key}, layout=tuple(s.name for s in selected)
    )


def _names_key(selected: Selected, relation: Relation) -> bool:
    return isinstance(selected.expression, N.ColumnRef) and selected.expression.name in relation.keys


def _ref(selected: Selected) -> str:
    assert isinstance(selected.expression, N.ColumnRef)
    return selected.expression.name


def _for_sink(relation: Relation, selected: Sequence[Selected]) -> tuple[list[Selected], list[Selected]]:
    found: dict[str, list[Selected]] = {}
    values = []
    for item in selected:
        expr = item.expression
        if isinstance(expr, N.ColumnRef):
            if expr.name in relation.keys:
                found.setdefault(expr.name, []).append(item)
                continue
            if expr.name in WINDOW_BOUNDS and item.name == expr.name and relation.window is not None:
                continue  # the key carries the window already
        values.append(item)
    for name, items in found.items():
        if len(items) > 1:
            names = sorted({i.name for i in items})
            if len(names) == 1:
                continue  # the same name twice is a duplicate column
            raise fail(
                f"The projection contains a key column (`{name}`) more than once, aliased as: {listed(names, 'and')}.\n"
                "Each key column must only be in the projection once. If you intended to copy the key into the value, "
                "then consider using the AS_VALUE function to indicate which key reference should be copied.",
                items[-1].expression,
            )
    keys = []
    for known, column in relation.keys.items():
        keys += [Selected(i.name, N.ColumnRef(column, span=i.expression.span)) for i in found.get(known, ())]
    return keys, values


def _for_client(relation: Relation, selected: Sequence[Selected]) -> tuple[list[Selected], list[Selected]]:
    names = {s.name for s in selected}
    keys: dict[str, Selected] = {}
    values = []
    for item in selected:
        name = _ref(item) if isinstance(item.expression, N.ColumnRef) else None
        if name is not None and relation.keys.get(name) == name and name not in keys:
            keys[name] = item
        else:
            values.append(item)
    ordered = []
    for index, column in enumerate(relation.step.schema.key):
        hidden = f"{_HIDDEN}_{index}"
        while hidden in names:
            hidden += "_"
        ordered.append(keys.get(column.name) or Selected(hidden, N.ColumnRef(column.name)))
    return ordered, values


def _check_duplicates(namespace: str, columns: Sequence[tuple[Selected, Column]]) -> None:
    seen: set[str] = set()
    for selected, column in columns:
        if column.name in seen:
            mark = " KEY" if namespace == "key" else ""
            raise fail(
                f"Duplicate {namespace} columns found in schema: `{column.name}` {column.type}{mark}",
                selected.expression,
                hint="give it another name with AS",
            )
        seen.add(column.name)
