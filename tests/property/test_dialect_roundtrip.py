"""Whatever the grammar can grow is printed, read back as the same tree, and survives sqlglot."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ksqlkit.dialect import nodes as n
from ksqlkit.dialect import (
    parse,
    parse_expression,
    parse_one,
    parse_type,
    print_expression,
    print_statement,
    split,
)
from ksqlkit.dialect.lexer import tokenize
from ksqlkit.dialect.names import quoted
from ksqlkit.dialect.printer.types import type_text
from ksqlkit.dialect.types import SqlType
from ksqlkit.errors import ParseError
from tests.support.sql_strategies import EXPRESSIONS, STATEMENTS, TYPES

# Strategies this large have a long repr, which hypothesis warns about when it shows one.
pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))


@QUICK
@given(EXPRESSIONS)
def test_expressions(tree: n.Expression) -> None:
    assert parse_expression(print_expression(tree)) == tree


@QUICK
@given(TYPES)
def test_types(found: SqlType) -> None:
    assert parse_type(type_text(found, quoted)) == found


@QUICK
@given(STATEMENTS)
def test_statements(tree: n.Statement) -> None:
    printed = print_statement(tree)
    again = parse_one(printed, testing=True)
    assert again == tree
    assert print_statement(again) == printed


@pytest.mark.slow
@LONG
@given(STATEMENTS)
def test_many_statements_also_through_sqlglot(tree: n.Statement) -> None:
    from ksqlkit.dialect.glot.from_statements import from_statement
    from ksqlkit.dialect.glot.to_statements import to_statement

    assert parse_one(print_statement(tree), testing=True) == tree
    assert from_statement(to_statement(tree)) == tree


WORDS = """
SELECT FROM CREATE STREAM TABLE AS a b 'x' 1 1.5 ( ) [ ] , ; . -> => := * + - || = <> < > CASE WHEN THEN END CAST
ARRAY MAP STRUCT LIKE IN BETWEEN AND OR NOT NULL IS WINDOW TUMBLING SIZE GROUP BY EMIT CHANGES WITH DESCRIBE SHOW
INSERT INTO VALUES ${x} ` ' " $$ -- /* */ DEFINE ASSERT EXPLAIN ALTER DROP PRINT
"""
PIECES = st.lists(st.sampled_from([*WORDS.split(), "\n"]), max_size=25).map(" ".join)


@QUICK
@given(PIECES | st.text(max_size=40))
def test_any_text_gives_trees_or_a_parse_error(text: str) -> None:
    failure = None
    try:
        parse(text, testing=True)
    except ParseError as error:
        failure = error
    if failure is not None:
        assert failure.location is not None
        assert failure.render()


@QUICK
@given(PIECES | st.text(max_size=40))
def test_tokens_cover_the_text(text: str) -> None:
    found = tokenize(text)
    for token in found.tokens[:-1]:
        assert text[token.start : token.end] == token.text
    assert "".join(part for part, _ in split(text)) == "".join(
        text[span.start : span.end] for _, span in split(text)
    )
