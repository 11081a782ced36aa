"""ksqlDB as a dialect of sqlglot."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, UnsupportedError
from sqlglot.lineage import lineage

from ksqlkit.dialect import parse_one, print_statement
from ksqlkit.dialect.glot.from_statements import from_statement
from ksqlkit.dialect.glot.to_statements import to_statement

IDENTITY = (Path(__file__).parents[2] / "golden" / "dialect" / "identity.sql").read_text().splitlines()


@pytest.mark.parametrize("sql", IDENTITY)
def test_there_and_back(sql: str) -> None:
    tree = parse_one(sql, testing=True)
    assert from_statement(to_statement(tree)) == tree


def test_registered_by_entry_point() -> None:
    sql = "create table t as select a, count(*) n from s window tumbling (size 1 hour) group by a emit final;"
    tree = sqlglot.parse_one(sql, read="ksqldb")
    assert isinstance(tree, exp.Create)
    assert tree.sql(dialect="ksqldb") == print_statement(parse_one(sql))
    assert [table.name for table in tree.find_all(exp.Table)] == ["T", "S"]


def test_to_and_from_other_dialects() -> None:
    assert sqlglot.transpile("SELECT UCASE(a) x FROM s WHERE b[1] = 2", read="ksqldb", write="spark") == [
        "SELECT UPPER(A) AS X FROM S WHERE B[0] = 2"
    ]
    back = sqlglot.transpile(
        "SELECT upper(a) FROM t WHERE x IN (1) OR y IS NULL", read="postgres", write="ksqldb"
    )
    assert back == ["SELECT UCASE(A)\nFROM T T\nWHERE ((X IN (1)) OR (Y IS NULL))"]


def test_lineage() -> None:
    schema = {"ORDERS": {"A": "INT", "B": "INT", "C": "INT"}}
    node = lineage("TOTAL", "SELECT a, SUM(b + c) AS total FROM orders GROUP BY a", schema, dialect="ksqldb")
    assert sorted(leaf.name for leaf in node.walk() if not leaf.downstream) == ["ORDERS.B", "ORDERS.C"]


def test_diff() -> None:
    old, new = (sqlglot.parse_one(f"SELECT {x} FROM s", read="ksqldb") for x in ("a", "a, b"))
    kinds = [type(edit).__name__ for edit in sqlglot.diff(old, new)]
    assert kinds.count("Insert") > 0
    assert "Remove" not in kinds


def test_parts() -> None:
    assert exp.DataType.build("MAP<STRING, INT>", dialect="ksqldb").sql("ksqldb") == "MAP<STRING, INTEGER>"
    assert exp.condition("a > 1", dialect="ksqldb").sql("ksqldb") == "(A > 1)"
    assert exp.to_identifier("x").sql("ksqldb") == "X"


def test_errors_are_readable() -> None:
    with pytest.raises(ParseError, match=r"Unknown statement 'SELEC'\n(.*\n)*hint: did you mean SELECT"):
        sqlglot.parse_one("SELEC x", read="ksqldb")
    with pytest.raises(UnsupportedError, match="no ORDER"):
        sqlglot.transpile("SELECT a FROM t ORDER BY b", write="ksqldb")


def test_the_dialect_itself_does_not_load_sqlglot() -> None:
    import subprocess
    import sys

    code = "import sys, ksqlkit.dialect as d; d.parse('SHOW STREAMS;'); sys.exit('sqlglot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
