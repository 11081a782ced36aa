"""The golden files of the dialect; adding a case needs no Python.

identity.sql: a statement a line. canonical.sql and errors.sql: blocks of a statement and `-->` lines with what is
printed or said; `--?` gives the hint of an error.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ksqlkit.dialect import parse, parse_one, print_statement
from ksqlkit.errors import ParseError

GOLDEN = Path(__file__).parents[2] / "golden" / "dialect"
IDENTITY = (GOLDEN / "identity.sql").read_text().splitlines()


def blocks(name: str) -> list[tuple[str, str, str | None]]:
    cases = []
    for block in (GOLDEN / name).read_text().strip("\n").split("\n\n"):
        lines = block.split("\n")
        sql = "\n".join(line for line in lines if not line.startswith(("-->", "--?")))
        said = "\n".join(line[4:] for line in lines if line.startswith("-->"))
        hints = [line[4:] for line in lines if line.startswith("--?")]
        cases.append((sql, said, hints[0] if hints else None))
    return cases


@pytest.mark.parametrize("sql", IDENTITY)
def test_printing_is_stable(sql: str) -> None:
    tree = parse_one(sql, testing=True)
    printed = print_statement(tree)
    again = parse_one(printed, testing=True)
    assert again == tree
    assert print_statement(again) == printed


def test_every_kind_of_statement_has_a_case() -> None:
    from ksqlkit.dialect.nodes import Statement

    seen = {type(parse_one(sql, testing=True)).__name__ for sql in IDENTITY}
    assert {kind.__name__ for kind in Statement.__subclasses__()} == seen


@pytest.mark.parametrize(("sql", "printed", "_hint"), blocks("canonical.sql"))
def test_canonical_text(sql: str, printed: str, _hint: str | None) -> None:
    assert print_statement(parse_one(sql)) == printed


@pytest.mark.parametrize(("sql", "message", "hint"), blocks("errors.sql"))
def test_errors(sql: str, message: str, hint: str | None) -> None:
    with pytest.raises(ParseError) as caught:
        parse(sql)
    assert caught.value.message == message
    place = caught.value.location
    assert place is not None
    assert place.text == sql.split("\n")[(place.line or 1) - 1]
    if hint is not None:
        assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        (
            "SELEC * FROM a;",
            [
                "<sql>:1:1: Syntax error: Unknown statement 'SELEC'",
                "  SELEC * FROM a;",
                "  ^",
                "hint: did you mean SELECT?",
            ],
        ),
        (
            "CREATE STREAM;",
            ["<sql>:1:14: Syntax error at or near ';'", "  CREATE STREAM;", "               ^"],
        ),
    ],
)
def test_a_person_is_told_the_place_and_the_guess_once(sql: str, shown: list[str]) -> None:
    with pytest.raises(ParseError) as caught:
        parse(sql)
    assert caught.value.render().split("\n") == shown
