"""What commands write: messages for people, JSON for programs."""

from __future__ import annotations

import pytest

from ksqlkit.cli.output import print_json, print_json_line, tell
from ksqlkit.client.protocol import Number


def test_a_message_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    text = "3 rows of [bold]orders[/bold] [2026].csv " + "x" * 200
    tell(text)
    assert capsys.readouterr().err == text + "\n"


def test_json_is_one_document_or_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    data = {"a": [1, Number("1.10")], 2: None}
    print_json(data)
    assert capsys.readouterr().out == '{\n  "a": [\n    1,\n    1.10\n  ],\n  "2": null\n}\n'
    print_json_line(data)
    assert capsys.readouterr().out == '{"a":[1,1.10],"2":null}\n'
