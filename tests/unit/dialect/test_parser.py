"""Trees, spans and the rules that golden text cannot show."""

from __future__ import annotations

import decimal

import pytest

from ksqlkit.dialect import nodes as n
from ksqlkit.dialect import (
    parse,
    parse_expression,
    parse_one,
    parse_schema,
    parse_type,
    print_expression,
    split,
)
from ksqlkit.dialect import types as t
from ksqlkit.errors import ParseError


def col(name: str, source: str | None = None) -> n.ColumnRef:
    return n.ColumnRef(name, source)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("1", n.IntegerLiteral(1)),
        ("-2147483648", n.IntegerLiteral(-(2**31))),
        ("2147483648", n.LongLiteral(2**31)),
        ("1.50", n.DecimalLiteral(decimal.Decimal("1.50"))),
        ("1e2", n.DoubleLiteral(100.0)),
        ("'a''b'", n.StringLiteral("a'b")),
        ("Null", n.NullLiteral()),
        ("`a``b`", col("a`b")),
        ('"a"', col("a")),
        ("t.c", col("C", "T")),
        ("1e5x", col("1E5X")),
        ("a != b", n.Comparison("<>", col("A"), col("B"))),
        ("a - 1", n.Arithmetic("-", col("A"), n.IntegerLiteral(1))),
        ("-1 * a", n.Arithmetic("*", n.IntegerLiteral(-1), col("A"))),
        ("-a * b", n.Arithmetic("*", n.Signed("-", col("A")), col("B"))),
        ("a || b", n.FunctionCall("CONCAT", (col("A"), col("B")))),
        ("not a and b", n.Logical("AND", n.Not(col("A")), col("B"))),
        ("a or b and c", n.Logical("OR", col("A"), n.Logical("AND", col("B"), col("C")))),
        ("a is not distinct from b", n.Not(n.Comparison("IS DISTINCT FROM", col("A"), col("B")))),
        ("count(*)", n.FunctionCall("COUNT", ())),
        ("f(days, day)", n.FunctionCall("F", (n.IntervalUnit("DAYS"), col("DAY")))),
        ("map(a)", n.FunctionCall("MAP", (col("A"),))),
        ("map('a' := 1)", n.MapConstructor(((n.StringLiteral("a"), n.IntegerLiteral(1)),))),
        ("a->b[1]", n.Subscript(n.Dereference(col("A"), "B"), n.IntegerLiteral(1))),
        (
            "f(a, x => x + y)",
            n.FunctionCall(
                "F",
                (col("A"), n.Lambda(("X",), n.Arithmetic("+", n.LambdaVariable("X"), col("Y")))),
            ),
        ),
    ],
)
def test_expressions(text: str, tree: n.Expression) -> None:
    found = parse_expression(text)
    assert found == tree
    assert type(found) is type(tree)


def test_operators_of_one_level_group_to_the_left() -> None:
    assert parse_expression("a - b + c") == parse_expression("(a - b) + c")
    assert parse_expression("a + b || c + d") == parse_expression("(a + b) || (c + d)")


@pytest.mark.parametrize(
    "text", ["a = b = c", "1 +", "f(x => x, 1)", "a.b.c", "(a, b)", "CASE END", "a AT TIME"]
)
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(ParseError):
        parse_expression(text)


def test_types() -> None:
    assert parse_type("map<string, array<decimal(4, 2)>>") == t.Map(t.STRING, t.Array(t.Decimal(4, 2)))
    assert parse_type("INT ARRAY ARRAY") == t.Array(t.Array(t.INTEGER))
    assert parse_type("VARCHAR(10)") == t.STRING
    assert parse_type("address") == t.Named("ADDRESS")
    assert parse_type("STRUCT<a INT, `b` DATE>") == t.Struct((("A", t.INTEGER), ("b", t.DATE)))


def test_schema() -> None:
    assert parse_schema("") == ()
    assert parse_schema("`A` INT KEY, b STRING") == (
        n.ColumnDef("A", t.INTEGER, "KEY"),
        n.ColumnDef("B", t.STRING),
    )


def test_persistent_queries_emit_changes_and_pull_queries_do_not() -> None:
    created = parse_one("CREATE STREAM a AS SELECT * FROM b")
    assert isinstance(created, n.CreateAsSelect)
    assert created.query.emit == "CHANGES"
    asked = parse_one("SELECT * FROM b")
    assert isinstance(asked, n.QueryStatement)
    assert asked.query.emit is None


def test_spans_point_into_the_text() -> None:
    sql = "SHOW STREAMS;\n  SELECT a +\n b FROM s; -- end"
    _, second = parse(sql)
    assert isinstance(second, n.QueryStatement)
    assert second.span == n.Span(2, 3, 16, sql.index(";", 20))
    item = second.query.select[0]
    assert isinstance(item, n.SelectColumn)
    span = item.expression.span
    assert span is not None
    assert sql[span.start : span.end] == "a +\n b"


def test_comments_are_kept_with_their_statement() -> None:
    first, second = parse("-- one\nSHOW /* two */ STREAMS;\n--@directive\nSHOW TABLES;")
    assert [c.text.strip() for c in first.comments] == ["-- one", "/* two */"]
    assert [c.text.strip() for c in second.comments] == ["--@directive"]


def test_split_leaves_strings_quotes_and_comments_alone() -> None:
    sql = "SELECT ';' FROM `a;b`; -- no; \n /* ; */ SHOW\nTABLES; SHOW"
    assert [text for text, _ in split(sql)] == ["SELECT ';' FROM `a;b`;", "SHOW\nTABLES;", "SHOW"]
    assert [span.line for _, span in split(sql)] == [1, 2, 3]


def test_test_statements_only_on_request() -> None:
    for sql in (
        "RUN SCRIPT 'a';",
        "ASSERT VALUES s VALUES (1);",
        "ASSERT STREAM s;",
        "ASSERT NULL VALUES s KEY (1);",
    ):
        assert parse(sql, testing=True)
        with pytest.raises(ParseError):
            parse(sql)


def test_one_statement_means_one() -> None:
    with pytest.raises(ParseError, match="exactly one"):
        parse_one("SHOW STREAMS; SHOW TABLES;")


def test_deep_nesting_is_an_error_not_a_crash() -> None:
    with pytest.raises(ParseError, match="too large"):
        parse("SELECT " + "(" * 5000 + "1" + ")" * 5000 + " FROM s;")


def test_map_calls_inside_map_calls_take_linear_steps() -> None:
    text = "1"
    for _ in range(40):
        text = f"MAP({text})"
    assert parse_expression(text)


def test_long_chains_print() -> None:
    text = " OR ".join(f"a = {i}" for i in range(3000))
    assert print_expression(parse_expression(text)).count(" OR ") == 2999


@pytest.mark.parametrize(
    "text", ["SELECT %s FROM s", "SELECT a FROM s LIMIT %s", "SELECT a FROM s WINDOW SESSION (%s DAYS)"]
)
def test_absurd_numbers_are_parse_errors(text: str) -> None:
    with pytest.raises(ParseError):
        parse(text % ("9" * 10_000) + ";")
