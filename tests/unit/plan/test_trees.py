"""Walking and rewriting expressions."""

from __future__ import annotations

import pytest

from ksqlkit.dialect import nodes as N
from ksqlkit.dialect import parse_expression
from ksqlkit.engine.analysis import trees


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("A + B * A", "A B"),
        ("CASE WHEN A = 1 THEN B ELSE C END", "A B C"),
        ("CASE A WHEN B THEN C END", "A B C"),
        ("MAP('x' := A, B := C)", "A B C"),
        ("STRUCT(x := A, y := ARRAY[B, C])", "A B C"),
        ("A IN (B, C) AND NOT D BETWEEN E AND F", "A B C D E F"),
        ("TRANSFORM(A, x => x + B)", "A B"),
        ("A->B[C]", "A C"),
        ("CAST(A AS STRING) LIKE B", "A B"),
    ],
)
def test_columns_are_found_in_order(text: str, columns: str) -> None:
    assert [c.name for c in trees.columns_of(parse_expression(text))] == columns.split()


def test_rewriting_replaces_everywhere_and_shares_what_is_unchanged() -> None:
    expr = parse_expression("CASE WHEN A = 1 THEN F(A) ELSE STRUCT(x := A) END")

    def visit(e: N.Expression) -> N.Expression | None:
        return N.ColumnRef("B") if e == N.ColumnRef("A") else None

    assert trees.rewrite(expr, visit) == parse_expression("CASE WHEN B = 1 THEN F(B) ELSE STRUCT(x := B) END")
    assert trees.rewrite(expr, lambda _: None) is expr


def test_a_replacement_is_not_visited_again() -> None:
    found = trees.rewrite(
        parse_expression("A"), lambda e: N.FunctionCall("F", (e,)) if isinstance(e, N.ColumnRef) else None
    )
    assert found == parse_expression("F(A)")
