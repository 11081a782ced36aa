"""A SQL session: what it prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ksqlkit.cli.session import Session
from ksqlkit.client.embedded import EmbeddedClient
from ksqlkit.errors import SqlError, StatementError, UserError

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


def session(**options: object) -> Session:
    made = Session(EmbeddedClient.open(":memory:"), {"auto.offset.reset": "earliest"}, **options)  # type: ignore[arg-type]
    made.run(SETUP)
    return made


def test_a_syntax_error_anywhere_runs_nothing() -> None:
    made = session()
    with pytest.raises(SqlError) as caught:
        made.run("CREATE STREAM X AS SELECT A FROM S;\n  SELEC A FROM S;")
    assert caught.value.location is not None
    assert (caught.value.location.line, caught.value.location.column) == (2, 3)
    assert [s["name"] for s in made.client.execute("SHOW STREAMS;")[0]["streams"]] == ["S"]


def test_set_refuses_what_is_no_property_at_once() -> None:
    made = session()
    with pytest.raises(StatementError, match="Unknown property: nonsense"):
        made.run("SET 'nonsense' = '1';")
    made.run("SHOW STREAMS;")
    with pytest.raises(SqlError, match="never set"):
        made.run("UNSET 'ksql.query.pull.table.scan.enabled';")


def test_variables_in_any_case_also_in_print(capsys: pytest.CaptureFixture[str]) -> None:
    made = session()
    made.run("DEFINE Input = 's'; PRINT ${INPUT} FROM BEGINNING LIMIT 1; UNDEFINE INPUT;")
    assert "1234.56789" in capsys.readouterr().out
    assert not made.variables


def test_rows_of_a_push_query_are_shown_as_sql_has_them(capsys: pytest.CaptureFixture[str]) -> None:
    made = session()
    made.run(
        "INSERT INTO S VALUES ('日本', NULL); SELECT *, STRUCT(X := D > 1) B FROM S EMIT CHANGES LIMIT 3;"
    )
    lines = capsys.readouterr().out.splitlines()[1:]
    assert lines[0] == "A | D | B"
    assert lines[2:] == ['y | 0.123456789 | {"X":false}', '日本 | null        | {"X":false}']
    assert made.rows == 3


def test_a_value_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    made = session()
    made.client.insert("S", [{"A": "a\x1b[2Jb\nc", "D": 1.0}])
    made.run("SELECT * FROM S;")
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "a\\x1b[2Jb\\nc" in text


def test_a_script_is_named_in_its_errors_and_cannot_run_itself_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "loop.sql"
    path.write_text("SHOW STREAMS;\nRUN SCRIPT 'loop.sql';".replace("loop.sql", str(path)))
    with pytest.raises(UserError, match="10 deep"):
        session().run_file(path)
    path.write_bytes("\ufeffSHOW STREAMS;\r\nSELECT NOPE FROM S;\r\n".encode())
    with pytest.raises(SqlError) as caught:
        session().run(f"RUN SCRIPT '{path}';")
    assert caught.value.location is not None
    assert (caught.value.location.file, caught.value.location.line) == (str(path), 2)
    assert caught.value.location.text == "SELECT NOPE FROM S;"


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("query", ["SELECT M, N FROM D;", "SELECT M, N FROM D EMIT CHANGES LIMIT 1;"])
def test_decimals_keep_all_their_digits(
    capsys: pytest.CaptureFixture[str], query: str, as_json: bool
) -> None:
    made = session(json=as_json)
    made.run(
        "CREATE STREAM D (M DECIMAL(20, 2), N ARRAY<DECIMAL(20, 2)>) "
        "WITH (KAFKA_TOPIC='d', VALUE_FORMAT='JSON', PARTITIONS=1);"
    )
    made.client.insert("D", [{"M": "123456789012345678.10", "N": ["123456789012345678.90"]}])
    made.run(query)
    text = capsys.readouterr().out
    assert "123456789012345678.10" in text
    assert "[123456789012345678.90]" in text


def test_a_long_line_is_shown_around_the_place() -> None:
    with pytest.raises(SqlError) as caught:
        session().run(f"SELECT {'A, ' * 1000} FORM S;")
    line, caret = [row for row in caught.value.render().splitlines() if "hint" not in row][-2:]
    assert len(line) < 200
    assert line[caret.index("^") :] == ";"
    assert caught.value.location is not None
    assert caught.value.location.column == len("SELECT  FORM S;") + 3000
