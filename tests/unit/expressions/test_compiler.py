"""The generated text: small where it can be, and quiet about nested errors only where ksqlDB is."""

from __future__ import annotations

import pytest

from ksqlkit.dialect import parse_expression
from ksqlkit.dialect import types as T
from ksqlkit.engine.expressions import (
    ExpressionCompiler,
    Variable,
    coerce_source,
    compile_function,
    error_text,
    infer_type,
)
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.errors import StatementError
from tests.support.expressions import COLUMNS, VALUES, golden, registry

SCOPE = {column.name: Variable(f"v{i}", column.type) for i, column in enumerate(COLUMNS)}


@pytest.mark.parametrize(("text", "source"), golden("source.txt"), ids=lambda part: part[:60])
def test_source(text: str, source: str) -> None:
    assert ExpressionCompiler(registry()).compile(parse_expression(text), SCOPE).source == source


def test_names_of_one_compiler_do_not_collide() -> None:
    compiler = ExpressionCompiler(registry(), prefix="q")
    first = compiler.compile(parse_expression("S LIKE 'a%'"), SCOPE)
    second = compiler.compile(parse_expression("S LIKE 'b%' AND I + 1 > 2"), SCOPE)
    assert not first.names.keys() & second.names.keys()
    assert all(name.startswith(("q_", "k_")) for name in (*first.names, *second.names))


def test_only_the_names_that_are_used() -> None:
    made = ExpressionCompiler(registry()).compile(parse_expression("I / 2"), SCOPE)
    assert list(made.names) == ["k_whole_div"]


def test_nested_errors_are_reported() -> None:
    heard: list[tuple[str, str]] = []
    expr = parse_expression("ARRAY[CAST('x' AS INT), I / 0, OR_ELSE(FAILS(I), 5)]")
    evaluate = compile_function(
        [expr], COLUMNS, registry(), lambda what, error: heard.append((what, str(error)))
    )
    assert evaluate(VALUES) == ([None, None, 5],)
    assert heard == [
        ("Error processing INTEGER", 'For input string: "x"'),
        ("Error processing array item", "/ by zero"),
        ("Error processing FAILS", "no 7"),
    ]


def test_an_error_of_one_column_leaves_the_others() -> None:
    heard: list[str] = []
    exprs = [parse_expression(text) for text in ("I + 1", "Z + 1", "S")]
    evaluate = compile_function(exprs, COLUMNS, registry(), lambda what, _: heard.append(what))
    assert evaluate(VALUES) == (8, None, "Hello")
    assert heard == ["Error computing expression (Z + 1)"]


def test_no_columns() -> None:
    assert compile_function([parse_expression("1 + 1")], (), registry())(()) == (2,)


def test_null_has_no_type() -> None:
    assert infer_type(parse_expression("NULL"), {}, registry()) is None


def test_aggregates_have_types_but_no_text() -> None:
    expr = parse_expression("SUM(I) + 1")
    assert infer_type(expr, {"I": T.INTEGER}, Registry()) == T.INTEGER
    with pytest.raises(StatementError, match="no scalar function"):
        ExpressionCompiler(Registry()).compile(expr, SCOPE)


@pytest.mark.parametrize(
    ("given", "wanted", "value", "result"),
    [
        (T.INTEGER, T.BIGINT, 5, "5"),
        (T.INTEGER, T.DOUBLE, 5, "5.0"),
        (T.BIGINT, T.Decimal(21, 2), 5, "5.00"),
        (T.INTEGER, T.DOUBLE, None, "None"),
        (None, T.DOUBLE, None, "None"),
    ],
)
def test_implicit_casts(given: T.SqlType | None, wanted: T.SqlType, value: object, result: str) -> None:
    made = coerce_source("v", given, wanted)
    assert str(eval(made.source, {**made.names, "v": value})) == result
    assert made.type == wanted


@pytest.mark.parametrize(
    "text",
    [
        " + ".join(["I"] * 300),
        " - ".join(["I", "J * 2"] * 150),
        " + ".join(["S"] * 300),
        " AND ".join(["I > 1"] * 300),
        " OR ".join(["I > 1 AND B"] * 300),
        "ARRAY[" * 12 + "I" + "]" * 12,
        "NOT (" * 30 + "B" + ")" * 30,
        "CASE " + "WHEN I = 1 THEN 'a' " * 300 + "END",
    ],
    ids=range(8),
)
def test_long_and_deep_expressions(text: str) -> None:
    compile_function([parse_expression(text)], COLUMNS, registry())


def test_null_operands_are_told_in_words() -> None:
    with pytest.raises(TypeError) as caught:
        compile_function([parse_expression("Z + 1")], COLUMNS, registry())(VALUES)
    assert error_text(caught.value) == "a null value is used where a value is needed"
    assert error_text(ZeroDivisionError("/ by zero")) == "/ by zero"
    assert error_text(KeyError()) == "KeyError"
