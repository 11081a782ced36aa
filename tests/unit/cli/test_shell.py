"""The shell: when a statement is whole, its own commands, completion."""

from __future__ import annotations

from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory

from ksqlkit.cli.completion import SqlCompleter
from ksqlkit.cli.session import Session
from ksqlkit.cli.shell import Shell, _open_history, is_complete
from ksqlkit.client.embedded import EmbeddedClient

SETUP = """CREATE STREAM ORDERS (ID INT KEY, CUSTOMER STRING, `mixed` INT)
WITH (KAFKA_TOPIC='orders-in', VALUE_FORMAT='JSON', PARTITIONS=1); INSERT INTO ORDERS VALUES (1, 'ann', 2);"""


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("SHOW STREAMS;", True),
        ("SHOW STREAMS; -- a remark", True),
        ("SHOW STREAMS;\n/* a\nremark */\n", True),
        ("SHOW STREAMS", False),
        ("SHOW STREAMS -- not yet;", False),
        ("SELECT 'a;", False),
        ("SELECT 'a;'", False),
        ("SELECT `a;", False),
        ("/* open;", False),
        ("SELECT 'it''s'; SELECT 2;", True),
        ("", False),
        ("-- alone", False),
    ],
)
def test_a_statement_is_whole_at_its_semicolon(text: str, whole: bool) -> None:
    assert is_complete(text) is whole


@pytest.fixture
def shell() -> Shell:
    client = EmbeddedClient.open(":memory:")
    client.execute(SETUP)
    return Shell(Session(client), "here")


def test_commands_and_statements(shell: Shell, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    script = tmp_path / "a script.sql"
    script.write_text("SELECT CUSTOMER FROM ORDERS;")
    for typed, said in [
        ("help", "Ctrl-C ends a query"),
        ("version;", "ksqlkit"),
        ("server", "here"),
        ("output json", "shown as JSON"),
        ("output", "shown as JSON"),
        ("SELECT CUSTOMER FROM ORDERS;", '{"CUSTOMER":"ann"}'),
        ("output yaml", "json or table"),
        (f"run script '{script}'", '{"CUSTOMER":"ann"}'),
        (f"RUN SCRIPT '{script}';", "1 row, "),
        ("run script", "takes one file"),
        ("SELECT NOPE FROM ORDERS;", "cannot be resolved"),
        (";", ""),
        ("", ""),
    ]:
        assert shell.execute(typed)
        caught = capsys.readouterr()
        assert said in caught.out + caught.err
    assert not shell.execute("exit")
    assert not shell.execute("QUIT;")


def test_ctrl_c_ends_a_query_and_not_the_shell(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    shell.session.client.execute = interrupted  # type: ignore[assignment, method-assign]
    assert shell.execute("SHOW STREAMS;")
    assert "Query terminated" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("SELECT * FROM OR", "ORDERS"),
        ("select * from or", "ORDERS"),
        ("SELECT  FROM ORDERS WHERE CU", "CUSTOMER"),
        ("SELECT mi", "min"),
        ("SELECT ORDERS.ID, mix", "`mixed`"),
        ("DESCRIBE FUNCTION SUBSTR", "SUBSTRING"),
        ("PRINT 'ord", "orders-in"),
        ("DESCR", "DESCRIBE"),
        ("descr", "describe"),
    ],
)
def test_completion(shell: Shell, typed: str, first: str) -> None:
    completer = SqlCompleter(shell.session.client)
    found = [c.text for c in completer.get_completions(Document(typed), CompleteEvent())]
    assert found
    assert first in (found[0], found[-1])


def test_the_history_is_private_and_not_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    _open_history()
    assert (tmp_path / ".ksqlkit_history").stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    assert isinstance(_open_history(), InMemoryHistory)
    assert "for this session only" in " ".join(capsys.readouterr().err.split())
