"""A SQL session: what it prints."""

from __future__ import annotations

import json

import pytest

from ksqlkit.cli.session import Session
from ksqlkit.client.embedded import EmbeddedClient

SETUP = """CREATE STREAM S (A STRING, D DOUBLE) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);
INSERT INTO S VALUES ('x', 1234.56789); INSERT INTO S VALUES ('y', 0.123456789);"""


def answers(sql: str, capsys: pytest.CaptureFixture[str], *, as_json: bool) -> str:
    session = Session(EmbeddedClient.open(":memory:"), json=as_json)
    session.run(SETUP)
    capsys.readouterr()
    session.run(sql)
    return capsys.readouterr().out


def test_json_is_one_document_a_line_for_rows_and_answers(capsys: pytest.CaptureFixture[str]) -> None:
    lines = answers("SHOW STREAMS; SHOW TABLES; SELECT * FROM S;", capsys, as_json=True).splitlines()
    found = [json.loads(line) for line in lines]
    assert [f.get("@type") for f in found] == ["streams", "tables", None, None]
    assert found[2:] == [{"A": "x", "D": 1234.56789}, {"A": "y", "D": 0.123456789}]


def test_a_querys_numbers_are_shown_with_all_digits(capsys: pytest.CaptureFixture[str]) -> None:
    shown = answers("SELECT D FROM S;", capsys, as_json=False)
    assert "1234.56789" in shown
    assert "0.123456789" in shown
