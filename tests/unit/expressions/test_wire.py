"""Rows as /query-stream prints them."""

from __future__ import annotations

import decimal
from typing import Any

import pytest

from ksqlkit.dialect import parse_type
from ksqlkit.engine.wire import make_row_encoder

CASES: list[tuple[str, Any, str]] = [
    ("BOOLEAN", True, "true"),
    ("INT", -5, "-5"),
    ("BIGINT", 9223372036854775807, "9223372036854775807"),
    ("DOUBLE", 1e7, "1.0E7"),
    ("DOUBLE", 5e-324, "4.9E-324"),
    ("DOUBLE", -0.0, "-0.0"),
    ("DOUBLE", float("nan"), '"NaN"'),
    ("DOUBLE", float("-inf"), '"-Infinity"'),
    ("DECIMAL(10, 2)", decimal.Decimal("1.50"), "1.50"),
    ("DECIMAL(38, 10)", decimal.Decimal("-1E-10"), "-0.0000000001"),
    ("STRING", 'q"\\\n\x1b é', '"q\\"\\\\\\n\\u001B é"'),
    ("STRING", "😀", '"\\uD83D\\uDE00"'),
    ("STRING", "\ud83d", '"\\uD83D"'),
    ("BYTES", b"\x01\xff", '"Af8="'),
    ("TIME", 43_200_999, '"12:00"'),
    ("TIME", 43_201_000, '"12:00:01"'),
    ("DATE", 19782, '"2024-02-29"'),
    ("TIMESTAMP", 1, '"1970-01-01T00:00:00.001"'),
    ("ARRAY<INT>", [1, None], "[1,null]"),
    ("ARRAY<DECIMAL(3, 1)>", [decimal.Decimal("1.0")], "[1.0]"),
    ("MAP<INT, DOUBLE>", {1: 2.0, 2: None}, '{"1":2.0,"2":null}'),
    ("MAP<BOOLEAN, STRING>", {True: "x"}, '{"true":"x"}'),
    ("STRUCT<A INT, `b` STRING>", {"A": 1, "b": None}, '{"A":1,"b":null}'),
    (
        "STRUCT<A DECIMAL(10, 2), B DATE, C TIME, D TIMESTAMP>",
        {"A": decimal.Decimal("99999999.90"), "B": 1, "C": 2, "D": 3},
        '{"A":9.99999999E7,"B":1,"C":2,"D":3}',
    ),
    ("ARRAY<STRUCT<A ARRAY<DATE>>>", [{"A": [5]}], '[{"A":[5]}]'),
]


@pytest.mark.parametrize(("kind", "value", "text"), CASES, ids=[f"{c[0]}-{c[2][:20]}" for c in CASES])
def test_value(kind: str, value: Any, text: str) -> None:
    encode = make_row_encoder([parse_type(kind)])
    assert encode((value,)).decode() == f"[{text}]"
    assert encode((None,)) == b"[null]"


def test_row() -> None:
    types = [parse_type(kind) for kind in ("INT", "DOUBLE", "STRING")]
    assert make_row_encoder(types)((1, 0.5, "a")) == b'[1,0.5,"a"]'
    assert make_row_encoder([])(()) == b"[]"


def test_a_null_key_cannot_be_printed() -> None:
    with pytest.raises(ValueError, match="Failed to serialize buffer"):
        make_row_encoder([parse_type("MAP<STRING, INT>")])(({None: 1},))
