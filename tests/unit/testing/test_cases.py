"""`ksqlkit test`: what it runs, what it says of what does not hold."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from ksqlkit.errors import ParseError
from ksqlkit.testing.cases import find_files, read_cases
from ksqlkit.testing.junit import to_junit
from ksqlkit.testing.run import Outcome, Runner
from tests.support.projects import write_project

PROJECT = """CREATE STREAM ORDERS (ID STRING KEY, CUSTOMER STRING, AMOUNT DOUBLE, WHENCE TIMESTAMP, TAGS ARRAY<STRING>)
  WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', PARTITIONS=3);
CREATE STREAM BIG AS SELECT ID, CUSTOMER, AMOUNT FROM {{ ref('ORDERS') }} WHERE AMOUNT > {{ var('large') }};
CREATE TABLE HOURLY AS SELECT CUSTOMER, SUM(AMOUNT) AS S FROM {{ ref('ORDERS') }}
  WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY CUSTOMER;
CREATE TABLE OFTEN AS SELECT CUSTOMER, COUNT(*) AS N FROM {{ ref('BIG') }} GROUP BY CUSTOMER HAVING COUNT(*) < 2;
CREATE STREAM KEPT (ID STRING KEY, CUSTOMER STRING) WITH (KAFKA_TOPIC='kept', VALUE_FORMAT='AVRO', PARTITIONS=1);
INSERT INTO KEPT SELECT ID, CUSTOMER FROM {{ ref('BIG') }};
CREATE STREAM SCORED AS SELECT ID, A_REMOTE_FUNCTION(AMOUNT) AS SCORE FROM {{ ref('ORDERS') }};
"""
TOML = "[vars]\nlarge = 100\n"


def outcomes(folder: Path, text: str, name: str = "a") -> list[Outcome]:
    loader = write_project(folder, {"sql/m.sql": PROJECT, f"tests/{name}.sql": text}, TOML)
    runner = Runner(loader)
    return [runner.run(case) for path in find_files(loader.config) for case in read_cases(path)]


PASSING = {
    "a filter": """INSERT INTO ORDERS (ROWTIME, ID, CUSTOMER, AMOUNT) VALUES (5, '1', 'ann', 200);
INSERT INTO ORDERS (ID, CUSTOMER, AMOUNT) VALUES ('2', 'ann', 50);
INSERT INTO ORDERS (ID, CUSTOMER, AMOUNT) VALUES ('3', 'bob', 101);
ASSERT VALUES BIG (ROWTIME, ID, CUSTOMER, AMOUNT) VALUES (5, '1', 'ann', 200.0);
ASSERT VALUES BIG (ID, AMOUNT) VALUES ('3', 101);""",
    "all columns, other types": """INSERT INTO ORDERS VALUES ('1', NULL, 0.1, '2024-01-01T00:00:00', ARRAY['a']);
ASSERT VALUES ORDERS VALUES ('1', NULL, 0.1, '2024-01-01T00:00:00.000', ARRAY['a']);""",
    "windows": """INSERT INTO ORDERS (ROWTIME, ID, CUSTOMER, AMOUNT) VALUES (3600001, '1', 'ann', 0.1);
INSERT INTO ORDERS (ROWTIME, ID, CUSTOMER, AMOUNT) VALUES (3600002, '1', 'ann', 0.2);
ASSERT VALUES HOURLY (WINDOWSTART, WINDOWEND, CUSTOMER, S) VALUES (3600000, 7200000, 'ann', 0.1);
ASSERT VALUES HOURLY (CUSTOMER, S) VALUES ('ann', 0.3);""",
    "tombstones": """INSERT INTO ORDERS (ID, CUSTOMER, AMOUNT) VALUES ('1', 'ann', 200);
INSERT INTO ORDERS (ID, CUSTOMER, AMOUNT) VALUES ('1', 'ann', 300);
ASSERT VALUES OFTEN (CUSTOMER, N) VALUES ('ann', 1);
ASSERT NULL VALUES OFTEN (CUSTOMER) KEY ('ann');""",
    "what an INSERT fills, in a registered format": """INSERT INTO ORDERS (ID, CUSTOMER, AMOUNT) VALUES ('1', 'é', 200);
ASSERT VALUES KEPT VALUES ('1', 'é');""",
    "columns and properties": """ASSERT STREAM ORDERS (ID STRING KEY, CUSTOMER STRING, AMOUNT DOUBLE, WHENCE TIMESTAMP,
  TAGS ARRAY<STRING>) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', PARTITIONS=3);
ASSERT TABLE HOURLY;""",
    "statements of its own": """SET 'ksql.create.or.replace.enabled' = 'true';
CREATE STREAM SMALL AS SELECT * FROM ORDERS WHERE AMOUNT < 10;
CREATE STREAM BIG (A INT KEY, B INT) WITH (KAFKA_TOPIC='mine', VALUE_FORMAT='JSON', PARTITIONS=1);
INSERT INTO BIG VALUES (1, 2); ASSERT VALUES BIG (A, B) VALUES (1, 2);
INSERT INTO ORDERS (ID, AMOUNT) VALUES ('1', 5); ASSERT VALUES SMALL (ID) VALUES ('1');""",
    "a stub": """--@stub: a_remote_function(X) = CASE WHEN X > 100 THEN 0.75e0 ELSE 0e0 END
INSERT INTO ORDERS (ID, AMOUNT) VALUES ('1', 200); INSERT INTO ORDERS (ID, AMOUNT) VALUES ('2', 2);
ASSERT VALUES SCORED (ID, SCORE) VALUES ('1', 0.75); ASSERT VALUES SCORED (ID, SCORE) VALUES ('2', 0.0);""",
    "a stub of one test over one for all, in a statement of the test's own, with the DETAIL form": """
--@stub: F = 1
--@stub: A_REMOTE_FUNCTION = 0.5e0
--@test: x
--@stub: F(A, B) = CONCAT(B, CAST(A + 1 AS VARCHAR))
CREATE STREAM DERIVED AS SELECT ID, F(2, ID, 3) AS WHICH, REDUCE(TAGS, '', (S, T) => F(1, T)) AS LAST,
  F_DETAIL(AMOUNT, ID)->STATUS AS STATUS, F_DETAIL(1, 'v')->VALUE AS TOLD FROM ORDERS;
INSERT INTO ORDERS (ID, AMOUNT, TAGS) VALUES ('1', 200, ARRAY['a', 'b']);
ASSERT VALUES DERIVED (STATUS, TOLD, LAST) VALUES ('OK', 'v2', 'b2');""",
    "a refusal": """--@test: refused
--@expected.error: io.confluent.ksql.util.KsqlException
--@expected.message: Column name `NOPE` does not exist
INSERT INTO ORDERS (NOPE) VALUES (1);""",
}  # fmt: skip


@pytest.mark.parametrize("name", PASSING)
def test_what_holds(tmp_path: Path, name: str) -> None:
    found = outcomes(tmp_path, PASSING[name])
    assert [(o.status, o.message) for o in found] == [("passed", "")]


ROW = "INSERT INTO ORDERS (ID, CUSTOMER, AMOUNT, TAGS) VALUES ('1', 'ann', 200, ARRAY['a']);\n"
FAILING = {
    "ASSERT VALUES BIG (ID, AMOUNT) VALUES ('1', 201);": (
        "record 1 of BIG is not the one asserted",
        [("AMOUNT", "201.0", "200.0")],
    ),
    "ASSERT VALUES ORDERS (ID, TAGS, CUSTOMER) VALUES ('1', ARRAY['b'], NULL);": (
        "record 1 of ORDERS is not the one asserted",
        [("TAGS", '["b"]', '["a"]'), ("CUSTOMER", "null", '"ann"')],
    ),
    "ASSERT VALUES BIG (ID) VALUES ('1'); ASSERT VALUES BIG (ID) VALUES ('2');": (
        "BIG has 1 records, and one more is asserted",
        [],
    ),
    "ASSERT NULL VALUES BIG (ID) KEY ('1');": ("record 1 of BIG is a row, not a tombstone: ROWTIME=", []),
    "ASSERT TABLE BIG;": ("BIG is a STREAM, not a TABLE", []),
    "ASSERT STREAM BIG (ID STRING KEY, AMOUNT DOUBLE);": (
        "BIG has other columns",
        [("CUSTOMER", "none", "STRING")],
    ),
    "ASSERT STREAM KEPT (CUSTOMER STRING, ID STRING KEY);": ("KEPT has its columns in another order", []),
    "ASSERT STREAM KEPT WITH (VALUE_FORMAT='JSON');": (
        "KEPT differs in VALUE_FORMAT",
        [("VALUE_FORMAT", "JSON", "AVRO")],
    ),
    "--@test: x\n--@expected.message: never": ("No statement was refused with: never", []),
}
WRONG = {
    "ASSERT VALUES NOWHERE (ID) VALUES (1);": "There is no stream or table NOWHERE",
    "ASSERT VALUES BIG (NOPE) VALUES (1);": "BIG has no column NOPE",
    "ASSERT VALUES BIG (ID) VALUES ('1', 2);": "2 values for the columns ID",
    "ASSERT VALUES BIG (AMOUNT) VALUES ('x');": "Expected type DOUBLE for field `AMOUNT`",
    "ASSERT STREAM BIG WITH (REPLICAS=1);": "ASSERT does not look at REPLICAS",
    "INSERT INTO ORDERS (NOPE) VALUES (1); ASSERT STREAM BIG;": "Column name `NOPE` does not exist",
    "ASSERT VALUES SCORED (ID) VALUES ('1');": "Can't find any functions with the name 'A_REMOTE_FUNCTION'",
    "--@stub: A_REMOTE_FUNCTION(A) = A + 'x'\nASSERT VALUES SCORED (ID) VALUES ('1');": "Error processing expression",
}


@pytest.mark.parametrize("statement", FAILING)
def test_what_does_not_hold_is_shown_with_its_place(tmp_path: Path, statement: str) -> None:
    message, differences = FAILING[statement]
    (found,) = outcomes(tmp_path, ROW + statement)
    assert found.status == "failed"
    assert found.message.startswith(message)
    assert [(d.column, d.expected, d.actual) for d in found.differences] == differences
    assert found.place is not None
    assert (found.place.file, found.place.line) == (str(tmp_path / "tests/a.sql"), 2)


@pytest.mark.parametrize("statement", WRONG)
def test_what_is_refused_is_an_error(tmp_path: Path, statement: str) -> None:
    (found,) = outcomes(tmp_path, ROW + statement)
    assert found.status == "error"
    assert WRONG[statement] in found.message
    assert found.place is not None
    assert found.place.file == str(tmp_path / ("sql/m.sql" if "SCORED" in statement else "tests/a.sql"))


def test_a_file_of_several_tests_and_what_they_have_in_common(tmp_path: Path) -> None:
    one = "--@test: one\nASSERT VALUES BIG (ID) VALUES ('1');\n"
    text = ROW + one + one.replace("one", "two").replace("'1'", "'9'")
    found = outcomes(tmp_path, text)
    assert [(o.case.name, o.case.line, o.status) for o in found] == [
        ("one", 2, "passed"),
        ("two", 4, "failed"),
    ]


def test_test_folders_within_sql_are_tests_too(tmp_path: Path) -> None:
    loader = write_project(
        tmp_path, {"sql/m.sql": PROJECT, "sql/x/tests/deep/b.sql": ROW, "tests/a.sql": ROW}, TOML
    )
    assert [f.name for f in find_files(loader.config)] == ["b.sql", "a.sql"]


def test_a_syntax_error_is_placed_in_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.sql"
    path.write_text("ASSERT STREAM X;\r\n\r\nASSERT VALUES\r\n  1;\r\n")
    with pytest.raises(ParseError) as caught:
        read_cases(path)
    assert caught.value.location is not None
    assert (caught.value.location.file, caught.value.location.line) == (str(path), 4)


@pytest.mark.parametrize(
    ("stub", "message"),
    [
        ("F", "Not a stub: F"),
        ("F(A = 1", "Not a stub: F(A = 1"),
        ("F = ", "In the stub of F: "),
        ("F(A) = A + B", "In the stub of F: B is not one of its parameters"),
        ("F(A) = T.A", "In the stub of F: A is not one of its parameters"),
    ],
)
def test_a_wrong_stub_is_placed_in_its_file(tmp_path: Path, stub: str, message: str) -> None:
    path = tmp_path / "a.sql"
    path.write_text(f"ASSERT STREAM X;\n--@stub: {stub}\n")
    with pytest.raises(ParseError, match=re.escape(message)) as caught:
        read_cases(path)
    assert caught.value.location is not None
    assert (caught.value.location.file, caught.value.location.line) == (str(path), 2)


def test_a_stub_is_called_with_what_it_names(tmp_path: Path) -> None:
    (found,) = outcomes(tmp_path, "--@stub: A_REMOTE_FUNCTION(A, B) = A\nASSERT STREAM SCORED;")
    assert (found.status, found.message) == (
        "error",
        "The stub of A_REMOTE_FUNCTION has 2 parameters, and is called with 1 arguments",
    )


@pytest.mark.parametrize("text", ["", "-- nothing", ROW])
def test_a_test_that_asserts_nothing_does_not_pass(tmp_path: Path, text: str) -> None:
    (found,) = outcomes(tmp_path, text)
    assert (found.status, found.message) == ("error", "The test asserts nothing")


def test_junit(tmp_path: Path) -> None:
    found = outcomes(
        tmp_path,
        ROW + "--@test: good\nASSERT STREAM BIG;\n--@test: b\x01d\nASSERT VALUES BIG (AMOUNT) VALUES (1);",
    )
    suite = ET.fromstring(to_junit(found, "p"))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "AMOUNT: expected 1.0, got 200.0" in str(failure.text)
