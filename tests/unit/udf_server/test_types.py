from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ksqlkit.dialect import parse_type as parse_ksqldb_type
from udf_server.coerce import convert_column
from udf_server.errors import SignatureError
from udf_server.function import function
from udf_server.sqltype import detail_type, parse_signature, parse_type


@pytest.mark.parametrize(
    "text",
    [
        "BOOLEAN",
        "VARCHAR",
        "DECIMAL(9, 2)",
        "ARRAY<MAP<VARCHAR, DOUBLE>>",
        "STRUCT<A INTEGER, B ARRAY<BYTES>>",
    ],
)
def test_types_print_as_they_parse_and_are_ksqldb_s(text: str) -> None:
    assert str(parse_type(text)) == text
    parse_ksqldb_type(text)


def test_signatures() -> None:
    found = parse_signature("f(a string, b int...) -> array<double>")
    assert (found.name, found.variadic, str(found.returns)) == ("F", True, "ARRAY<DOUBLE>")
    assert [str(t) for t in found.types(4) or ()] == ["VARCHAR", "INTEGER", "INTEGER", "INTEGER"]
    assert found.types(1) is None
    parse_ksqldb_type(str(detail_type(found.returns)))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("f(a) -> DOUBLE", "expected a SQL type, not ')'"),
        ("f(a NUMBER) -> DOUBLE", "expected a SQL type, not 'NUMBER'"),
        ("f(a INT) DOUBLE", "expected -> at 'DOUBLE'"),
        ("f(a INT..., b INT) -> DOUBLE", "only the last argument"),
        ("f(a INT) -> DOUBLE twice", "unexpected 'twice'"),
        ("f(a MAP<VARCHAR>) -> DOUBLE", "wrong number of types"),
        ("f() -> DOUBLE", "takes no arguments"),
    ],
)
def test_a_wrong_signature_says_where(text: str, place: str) -> None:
    with pytest.raises(SignatureError) as caught:
        function(text)(lambda x: x)
    assert place in str(caught.value)


GOOD: list[tuple[str, Any, Any]] = [
    ("DOUBLE", 3, 3.0),
    ("BIGINT", -(2**63), -(2**63)),
    ("DECIMAL(5, 2)", "1.5", Decimal("1.50")),
    ("BYTES", "AGE=", b"\x00a"),
    ("ARRAY<DOUBLE>", [1, None], [1.0, None]),
    ("MAP<VARCHAR, INTEGER>", {"a": 1}, {"a": 1}),
    ("STRUCT<A INTEGER, B VARCHAR>", {"B": "x", "C": 1}, {"A": None, "B": "x"}),
    ("TIMESTAMP", 5, 5),
]
BAD: list[tuple[str, Any]] = [
    ("DOUBLE", "3"),
    ("DOUBLE", True),
    ("DOUBLE", 10**400),
    ("INTEGER", 2**31),
    ("INTEGER", 1.0),
    ("BIGINT", True),
    ("BOOLEAN", 1),
    ("VARCHAR", 1),
    ("BYTES", "?"),
    ("BYTES", 1),
    ("DECIMAL(5, 2)", "12345.00"),
    ("DECIMAL(5, 2)", "x"),
    ("ARRAY<DOUBLE>", "x"),
    ("ARRAY<DOUBLE>", ["x"]),
    ("MAP<VARCHAR, INTEGER>", []),
    ("STRUCT<A INTEGER>", {"A": "x"}),
]


@pytest.mark.parametrize(("text", "value", "expected"), GOOD)
def test_values_become_the_declared_type(text: str, value: Any, expected: Any) -> None:
    converted, wrong = convert_column([None, value], parse_type(text))
    assert (converted, wrong) == ([None, expected], {})
    assert type(converted[1]) is type(expected)


@pytest.mark.parametrize(("text", "value"), BAD)
def test_values_that_do_not_fit_are_named_by_row(text: str, value: Any) -> None:
    good = {"DOUBLE": 1.0, "INTEGER": 1, "BIGINT": 1}.get(text)
    converted, wrong = convert_column([good, value], parse_type(text))
    assert converted == [good, None]
    assert list(wrong) == [1]
    assert " is no " in wrong[1]
