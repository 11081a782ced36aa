"""Lifting remote calls out of expressions."""

from __future__ import annotations

from typing import Any

from ksqlkit.dialect import parse_expression, print_expression
from ksqlkit.dialect import types as T
from ksqlkit.engine.expressions import compile_function, split_remote
from ksqlkit.engine.schema import Column
from tests.support.expressions import BatchDouble, registry

TYPES: dict[str, T.SqlType] = {"I": T.INTEGER, "D": T.DOUBLE}


def split(*texts: str) -> tuple[list[str], list[str]]:
    stages, exprs = split_remote([parse_expression(text) for text in texts], registry(), TYPES)
    shown = [
        f"{s.column} = {s.name}({', '.join(print_expression(a, quote=False) for a in s.args)})"
        for s in stages
    ]
    return shown, [print_expression(e, quote=False) for e in exprs]


def test_nothing_remote() -> None:
    assert split("I + 1", "TWICE(I)") == ([], ["(I + 1)", "TWICE(I)"])


def test_a_call_becomes_a_column_and_its_arguments_are_cast() -> None:
    assert split("SCORE(I) > 5") == (
        ["KSQLKIT_REMOTE_0 = SCORE(CAST(I AS DOUBLE))"],
        ["(KSQLKIT_REMOTE_0 > 5)"],
    )


def test_innermost_first() -> None:
    assert split("SCORE(SCORE(D) + 1E0)")[0] == [
        "KSQLKIT_REMOTE_0 = SCORE(D)",
        "KSQLKIT_REMOTE_1 = SCORE((KSQLKIT_REMOTE_0 + 1E0))",
    ]


def test_equal_calls_are_made_once() -> None:
    stages, exprs = split("SCORE(D)", "CASE WHEN SCORE(D) > 1 THEN SCORE(D) ELSE 0E0 END")
    assert len(stages) == 1
    assert exprs[0] == "KSQLKIT_REMOTE_0"
    assert "SCORE" not in exprs[1]


def test_calls_in_lambdas_stay() -> None:
    text = "EACH(ARRAY[D], (X) => SCORE(X))"
    assert split(text) == ([], [text])


def test_stages_give_what_the_call_in_place_gives() -> None:
    remote = BatchDouble()
    functions = registry(remote)
    expr = parse_expression("SCORE(I) + SCORE(D)")
    columns = [Column("I", T.INTEGER), Column("D", T.DOUBLE)]
    rows: list[tuple[Any, ...]] = [(1, 2.5), (2, 3.5)]
    in_place = [compile_function([expr], columns, functions)(row) for row in rows]

    stages, (rest,) = split_remote([expr], functions, TYPES)
    remote.batches.clear()
    for stage in stages:
        arguments = [compile_function(stage.args, columns, functions)(row) for row in rows]
        rows = [(*row, value) for row, value in zip(rows, stage.call.call(arguments), strict=True)]
        columns.append(Column(stage.column, stage.type))
    assert (
        [compile_function([rest], columns, functions)(row) for row in rows] == in_place == [(7.0,), (11.0,)]
    )
    assert remote.batches == [[(1.0,), (2.0,)], [(2.5,), (3.5,)]]
