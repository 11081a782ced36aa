"""Lifting remote calls out of expressions."""

from __future__ import annotations

from typing import Any

import pytest

from ksqlkit.dialect import parse_expression, print_expression
from ksqlkit.dialect import types as T
from ksqlkit.engine.expressions import answer_rows, compile_function, split_remote
from ksqlkit.engine.expressions.replay import Replay
from ksqlkit.engine.functions.registry import Registry
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


def test_a_call_with_a_lambda_that_calls_something_remote_is_lifted_whole() -> None:
    text = "EACH(ARRAY[D], (X) => SCORE(X))"
    assert split(f"OR_ELSE({text}, {text})") == (
        ["KSQLKIT_REMOTE_0 = EACH(D)", "KSQLKIT_REMOTE_1 = EACH(D)"],
        ["OR_ELSE(KSQLKIT_REMOTE_0, KSQLKIT_REMOTE_1)"],
    )
    local = "EACH(ARRAY[D], (X) => HALF(X))"
    assert split(local) == ([], [local])


LISTS: list[tuple[Any, ...]] = [([1, 2, 3], 10.0), ([4], 20.0), ([], 30.0), (None, 40.0), ([None, 5], 1.0)]


@pytest.mark.parametrize(
    ("text", "rounds"),
    [
        ("TRANSFORM(A, X => SCORE(X))", 1),
        ("TRANSFORM(A, X => SCORE(SCORE(X)) + SCORE(D))", 3),
        ("TRANSFORM(FILTER(A, X => SCORE(X) > 2), X => SCORE(X))", 2),
        ("TRANSFORM(A, X => REDUCE(A, SCORE(X), (S, Y) => S + SCORE(Y)))", 4),
        ("REDUCE(A, 0E0, (S, X) => SCORE(S) + X)", 3),
        ("TRANSFORM(AS_MAP(ARRAY['a', 'b'], ARRAY[D, 2 * D]), (K, V) => K, (K, V) => SCORE(V))", 1),
        ("FILTER(AS_MAP(ARRAY['a', 'b'], ARRAY[D, 2 * D]), (K, V) => SCORE(V) > 30)", 1),
        ("TRANSFORM(A, X => SCORE(X)) = TRANSFORM(A, X => X * 2E0)", 1),
        ("TRANSFORM(A, X => CASE WHEN X > 1 THEN SCORE(X) ELSE -1E0 END)", 1),
    ],
)
def test_lambdas_ask_in_rounds_for_all_rows_and_give_what_calls_in_place_give(text: str, rounds: int) -> None:
    remote = NullSafe()
    functions = Registry()
    functions.register_remote(
        "SCORE", [{"args": [{"name": "v", "type": "DOUBLE"}], "returns": "DOUBLE"}], remote
    )
    columns = [Column("A", T.Array(T.INTEGER)), Column("D", T.DOUBLE)]
    expr = parse_expression(text)
    calls = compile_function([expr], columns, functions)
    in_place = [outcome(calls, row) for row in LISTS]

    def fails(row: tuple[Any, ...]) -> bool:
        try:
            calls(row)
        except Exception:
            return True
        return False

    remote.batches.clear()
    told: list[str] = []
    rest, known, rows = answer_rows([expr], columns, functions, LISTS, told.append)
    evaluate = compile_function(rest, known, functions)
    assert [outcome(evaluate, row) for row in rows] == in_place
    assert len(remote.batches) == rounds
    assert len(told) <= sum(map(fails, LISTS))


def test_a_call_in_a_lambda_that_fails_is_an_error_of_its_row() -> None:
    class Fails(BatchDouble):
        def call(self, rows: Any) -> list[Any]:
            return [ValueError("unlucky") if row[0] == 2 else row[0] for row in rows]

    columns = [Column("A", T.Array(T.DOUBLE))]
    node = parse_expression("REDUCE(A, 0E0, (S, X) => S + SCORE(X))")
    found = Replay(node, columns, registry_with(Fails())).call([([1.0, 2.0],), ([1.0, 3.0],)])
    assert found[1] == 4.0
    assert found[0] is None or isinstance(found[0], ValueError)


class NullSafe(BatchDouble):
    """Twice the number, null for null."""

    def call(self, rows: Any) -> list[Any]:
        self.batches.append(list(rows))
        return [None if row[0] is None else row[0] * 2 for row in rows]


def registry_with(remote: BatchDouble) -> Registry:
    functions = Registry()
    args = [{"name": "v", "type": "DOUBLE"}]
    functions.register_remote("SCORE", [{"args": args, "returns": "DOUBLE"}], remote)
    return functions


def outcome(evaluate: Any, row: tuple[Any, ...]) -> Any:
    """The value, or null for an error."""
    try:
        return evaluate(row)[0]
    except Exception:
        return None


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
