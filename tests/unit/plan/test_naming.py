"""Generated column names."""

from __future__ import annotations

import pytest

from ksqlkit.dialect import parse_expression, parse_schema
from ksqlkit.engine.analysis.naming import Namer
from ksqlkit.engine.statements.create import make_schema


@pytest.mark.parametrize(
    ("source", "expressions", "names"),
    [
        ("A INT", "A + 1, A + 2", "KSQL_COL_0 KSQL_COL_1"),
        ("KSQL_COL_0 INT, KSQL_COL_2 INT", "1, 2, 3", "KSQL_COL_1 KSQL_COL_3 KSQL_COL_4"),
        ("A INT", "S->F, S->T->F, S->G", "F F_1 G"),
        ("F INT, F_1 INT", "S->F", "F_2"),
        ("F_1 INT", "S->F, S->F", "F F_2"),
        ("F_3 INT", "S->F_3, S->F_3", "F F_1"),
    ],
)
def test_names(source: str, expressions: str, names: str) -> None:
    namer = Namer([make_schema(parse_schema(source))])
    assert " ".join(namer.name(parse_expression(e)) for e in expressions.split(",")) == names


def test_join_key() -> None:
    assert Namer([make_schema(parse_schema("A INT"))]).join_key() == "ROWKEY"
    assert Namer([make_schema(parse_schema("ROWKEY INT, ROWKEY_1 INT"))]).join_key() == "ROWKEY_2"
