"""Quoting of names, and `${}` substitution."""

from __future__ import annotations

import pytest

from ksqlkit.dialect import parse_expression, quote_name
from ksqlkit.dialect.nodes import ColumnRef
from ksqlkit.dialect.variables import names, substitute
from ksqlkit.errors import ParseError


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("A", "A"),
        ("_A@1", "_A@1"),
        ("a", "`a`"),
        ("A B", "`A B`"),
        ("SELECT", "`SELECT`"),
        ("SHOW", "SHOW"),
        ("1A", "1A"),
        ("1", "`1`"),
        ("1E5", "`1E5`"),
        ("", "``"),
        ("A`B", "`A``B`"),
        ("É", "`É`"),
    ],
)
def test_quote_name(name: str, written: str) -> None:
    assert quote_name(name) == written
    assert parse_expression(written) == ColumnRef(name)


@pytest.mark.parametrize(
    ("sql", "values", "result"),
    [
        ("SELECT * FROM ${s};", {"s": "orders"}, "SELECT * FROM orders;"),
        ("SELECT * FROM s WHERE a = ${x};", {"x": "'it''s'"}, "SELECT * FROM s WHERE a = 'it''s';"),
        ("SELECT * FROM s WHERE a = '${x}';", {"x": "it's"}, "SELECT * FROM s WHERE a = 'it''s';"),
        ("SELECT * FROM s WHERE a = '${none}';", {"x": "y"}, "SELECT * FROM s WHERE a = '${none}';"),
        (
            "SELECT ${f}(a) AS ${n} FROM s LIMIT 1;",
            {"f": "ABS", "n": "`x`"},
            "SELECT ABS(a) AS `x` FROM s LIMIT 1;",
        ),
        ("PRINT '$${a}${a}';", {"a": "1"}, "PRINT '${a}1';"),
        ("SELECT * FROM ${s};", {}, "SELECT * FROM ${s};"),
        ("PRINT '${a}-${b}'; -- ${c}", {"a": "1", "b": "2", "c": "3"}, "PRINT '1-2'; -- ${c}"),
        (
            "INSERT INTO s VALUES (${n}, ${t});",
            {"n": "-1.5", "t": "true"},
            "INSERT INTO s VALUES (-1.5, true);",
        ),
    ],
)
def test_substitute(sql: str, values: dict[str, str], result: str) -> None:
    assert substitute(sql, values) == result


@pytest.mark.parametrize(
    ("sql", "values", "column"),
    [
        ("SELECT * FROM s WHERE a = ${x};", {"x": "1 OR 1 = 1"}, 27),
        ("SELECT * FROM ${x};", {"x": "s; DROP STREAM s"}, 15),
        ("DESCRIBE FUNCTION ${missing};", {"other": "x"}, 19),
    ],
)
def test_values_that_do_not_fit(sql: str, values: dict[str, str], column: int) -> None:
    with pytest.raises(ParseError, match=f"Illegal argument at Line: 1, Col: {column}"):
        substitute(sql, values)


def test_names_in_order_of_use() -> None:
    assert names("SELECT ${b} FROM ${a} WHERE x = '${c}${b}' -- ${d}") == ["b", "a", "c"]
