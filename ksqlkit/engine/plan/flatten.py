"""Table functions in the SELECT."""

from __future__ import annotations

from dataclasses import replace

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.analysis.calls import calls_of, check_table_functions, replace_calls
from ksqlkit.engine.analysis.naming import table_function_column
from ksqlkit.engine.analysis.text import fail
from ksqlkit.engine.expressions import infer_type
from ksqlkit.engine.plan.relation import Relation, Request
from ksqlkit.engine.plan.steps import FlatMap
from ksqlkit.engine.schema import Column, Schema


def flatten(request: Request, relation: Relation) -> Relation:
    """One row per element of the selected table functions; expressions then refer to the element's column."""
    selected = [i.expression for i in request.query.select if isinstance(i, N.SelectColumn)]
    for expr in selected:
        check_table_functions(expr, request.functions)
    found = calls_of("TABLE", selected, request.functions)
    if not found:
        return relation
    if any(s.source.kind == "TABLE" for s in request.scope.sources[:1]):
        raise fail("Table source is not supported with table functions", found[0])
    functions, types = request.functions, relation.types
    column_of = {c: table_function_column(i) for i, c in enumerate(dict.fromkeys(found))}
    calls, columns = [], []
    for call, name in column_of.items():
        inner = replace(call, args=tuple(relation.resolve(a) for a in call.args))
        args = [infer_type(a, types, functions) for a in inner.args]
        calls.append(inner)
        columns.append(Column(name, functions.table(call.name, args).returns))
    schema = Schema(relation.step.schema.key, (*relation.step.schema.value, *columns))
    names = tuple(column_of.values())
    step = FlatMap("FlatMap", schema, relation.step, tuple(calls), names)

    def resolve(expr: N.Expression) -> N.Expression:
        return relation.resolve(replace_calls(expr, "TABLE", functions, column_of.__getitem__))

    return replace(relation, step=step, layout=(*relation.layout, *names), resolve=resolve)
