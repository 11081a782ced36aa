"""Every statement that a real ksqlDB accepted parses, and printing it loses nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ksqlkit.dialect import parse, parse_expression, parse_one, print_expression, print_statement
from ksqlkit.errors import ParseError

REFERENCE = Path(os.environ.get("KSQLDB_REFERENCE", Path(__file__).parents[3] / "shared/ksqldb"))

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.slow,
    pytest.mark.skipif(
        not REFERENCE.is_dir(), reason=f"no recorded ksqlDB at {REFERENCE}; set KSQLDB_REFERENCE"
    ),
]


def statements() -> Iterator[tuple[str, str, bool]]:
    """Where from, text, and whether its case ends in an error."""
    for path in sorted((REFERENCE / "conformance").rglob("*.json")):
        for case in json.loads(path.read_text())["tests"]:
            fails = bool(case.get("expectedException") or case.get("expectedError"))
            for sql in case.get("statements") or ():
                for text in {sql.replace("{FORMAT}", f) for f in case.get("format") or [""]}:
                    yield f"{path.stem}: {case['name']}", text, fails
    for line in (REFERENCE / "oracle/scenarios.jsonl").read_text().splitlines():
        scenario = json.loads(line)
        for sql in scenario["statements"]:
            yield scenario["id"], sql, False


def test_statements_parse_and_round_trip() -> None:
    wrong = []
    count = 0
    for where, sql, fails in statements():
        try:
            trees = parse(sql, testing=True)
        except ParseError as error:
            if not fails:
                wrong.append(f"{where}: {error.message}\n{sql}")
            continue
        for tree in trees:
            count += 1
            printed = print_statement(tree)
            if parse_one(printed, testing=True) != tree:
                wrong.append(f"{where}: {printed}")
    assert not wrong, "\n".join(wrong[:20])
    assert count > 4000


def test_expressions_parse_and_round_trip_or_are_rejected() -> None:
    wrong = []
    for line in (REFERENCE / "oracle/expressions.jsonl").read_text().splitlines():
        case = json.loads(line)
        try:
            tree = parse_expression(case["expr"])
        except ParseError as error:
            if "error" not in case:
                wrong.append(f"{case['expr']}: {error.message}")
            continue
        if parse_expression(print_expression(tree)) != tree:
            wrong.append(f"{case['expr']}: {print_expression(tree)}")
    assert not wrong, "\n".join(wrong[:20])


def test_syntax_errors_say_what_the_server_said() -> None:
    """Those messages that are the parser's own, in recorded exchanges and rejected expressions."""
    wrong, count = [], 0
    for sql, said in _rejected():
        count += 1
        try:
            parse(sql)
        except ParseError as error:
            if said.split("\nStatement: ")[0] != error.message:
                wrong.append(f"{sql}\n  said {said!r}\n  ours {error.message!r}")
        else:
            wrong.append(f"{sql}\n  said {said!r}\n  ours accepts it")
    assert not wrong, "\n".join(wrong[:20])
    assert count > 60


def _rejected() -> Iterator[tuple[str, str]]:
    for line in (REFERENCE / "transcripts/exchanges.jsonl").read_text().splitlines():
        exchange = json.loads(line)
        try:
            asked, answer = json.loads(exchange["req_body"]), json.loads(exchange["body"])
        except (TypeError, ValueError):
            continue
        if isinstance(asked, dict) and isinstance(answer, dict):
            sql, said = asked.get("ksql") or asked.get("sql"), answer.get("message", "")
            if isinstance(sql, str) and "${" not in sql and "Syntax Error" in said:
                yield sql, said
    for line in (REFERENCE / "oracle/expressions.jsonl").read_text().splitlines():
        case = json.loads(line)
        said = case.get("error", {}).get("message", "")
        unknown_type = "Cannot resolve unknown type" in said  # the catalog's business
        if "Syntax Error" in said or ("Failed to prepare" in said and not unknown_type):
            yield f"SELECT ID, {case['expr']} AS C0 FROM EXPR_IN EMIT CHANGES LIMIT 6;", said
