"""Pull queries asked again with other keys: by the plan of the first, with the answers of a new one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.pull.repeated import shape
from ksqlkit.engine.results import PullResult
from ksqlkit.errors import KsqlkitError
from tests.support.engines import make_engine

NUMBERS = "CREATE STREAM s (k {key} KEY, v INT, w STRING) WITH (kafka_topic='s', value_format='JSON', partitions=2);"
TABLE = "CREATE TABLE t AS SELECT k, COUNT(*) AS n, LATEST_BY_OFFSET(w) AS w FROM s {window} GROUP BY k;"


def made(key: str, window: str = "") -> Engine:
    engine = make_engine()
    engine.execute(NUMBERS.format(key=key) + TABLE.format(window=window))
    for number in range(12):
        text = number if key != "STRING" else f"'it''s {number % 5}'" if number % 2 else f"'{number % 5}'"
        engine.execute(
            f"INSERT INTO s (ROWTIME, k, v, w) VALUES ({number * 1000}, {text}, {number}, 'w{number}');"
        )
    engine.run_until_idle()
    return engine


@pytest.fixture(scope="module")
def text() -> Iterator[Engine]:
    with made("STRING") as engine:
        yield engine


@pytest.fixture(scope="module")
def number() -> Iterator[Engine]:
    with made("BIGINT", "WINDOW TUMBLING (SIZE 2 SECONDS)") as engine:
        yield engine


def answer(engine: Engine, sql: str) -> object:
    try:
        found = engine.query(sql)
    except KsqlkitError as error:
        return type(error), error.message
    assert isinstance(found, PullResult)
    return found.columns, found.rows


def anew(engine: Engine, sql: str) -> object:
    engine.context.repeated._plans.clear()
    return answer(engine, sql)


def check_each(engine: Engine, queries: list[str]) -> None:
    """That each query is answered as by a plan of its own, by whatever plan is kept, twice."""
    expected = [anew(engine, sql) for sql in queries]
    engine.context.repeated._plans.clear()
    assert [answer(engine, sql) for sql in queries] == expected
    assert [answer(engine, sql) for sql in queries] == expected


TEXT = [
    "SELECT * FROM t WHERE k = '{}';",
    "SELECT k, n + 1 AS m, 'x' AS x FROM t WHERE k='{}'",
    "SELECT * FROM t WHERE k = '{}' AND w <> 'w9';",
    "select * from t where k in ('{}', '3', 'none');",
    "SELECT * FROM t WHERE k = '{}' OR (k = '1' AND n > 1);",
    "SELECT * FROM t WHERE k = '{}' LIMIT 1;",
    "SELECT * FROM t WHERE k = '{}' AND n = 1.5;",
    "SELECT * FROM t WHERE k = UCASE('{}');",
    "SELECT * FROM t WHERE k = `K` AND k = '{}';",
    "SELECT * FROM t WHERE '{}' = k -- 'comment';",
    "SELECT * FROM t WHERE k BETWEEN '{}' AND '{}';",
    "SELECT * FROM t WHERE k = '{};",
    "SELECT * FROM t WHERE k = {};",
    "SELECT * FROM t WHERE k = '{}' AND nope = 1;",
    "SELECT COUNT(*) FROM t WHERE k = '{}';",
]


@pytest.mark.parametrize("sql", TEXT)
def test_keys_of_text(text: Engine, sql: str) -> None:
    keys = ["0", "it''s 1", "4", "nobody", "", "WHERE k = 1", "LIMIT 1"]
    check_each(text, [sql.replace("{}", key) for key in keys])


WINDOWS = [
    "SELECT * FROM t WHERE k = {};",
    "SELECT * FROM t WHERE k = {} AND WINDOWSTART >= 2000 AND WINDOWEND < 9000;",
    "SELECT * FROM t WHERE k IN ({}, 3);",
    "SELECT * FROM t WHERE k = {} AND WINDOWSTART = '1970-01-01T00:00:02';",
    "SELECT * FROM t WHERE k = -{};",
]


@pytest.mark.parametrize("sql", WINDOWS)
def test_keys_of_numbers_and_windows(number: Engine, sql: str) -> None:
    keys = ["0", "3", "7", "99", "4294967296", "12345678901234567890", "1.5", "'x'", "NULL"]
    check_each(number, [sql.replace("{}", key) for key in keys])


def test_the_plan_is_used_and_forgotten_with_the_catalogue(text: Engine) -> None:
    sql = "SELECT n FROM t WHERE k = '{}';"
    repeated = text.context.repeated
    answer(text, sql.format("0"))
    assert repeated.answer(sql.format("4")) is not None
    assert text.try_query(sql.format("4")) is not None
    assert repeated.answer("SELECT w FROM t WHERE k = '4';") is None
    text.execute("CREATE STREAM z (a INT) WITH (kafka_topic='z', value_format='JSON', partitions=1);")
    assert repeated.answer(sql.format("4")) is None
    answer(text, sql.format("0"))
    text.functions.register_scalar("NEW_ONE(INT a) -> INT", lambda a: a)
    assert repeated.answer(sql.format("4")) is None


def test_settings_of_a_request_count(text: Engine) -> None:
    sql = "SELECT n FROM t WHERE k = '0' LIMIT 1;"
    assert len(text.query(sql).rows) == 1  # type: ignore[union-attr]
    with pytest.raises(KsqlkitError, match="LIMIT clause"):
        text.query(sql, properties={"ksql.query.pull.limit.clause.enabled": False})


def test_shapes() -> None:
    assert shape("SELECT 1 FROM t WHERE a = 'x''y' AND b=5 ") == (
        "SELECT 1 FROM t WHERE a = \x00 AND b=\x01",
        ("x'y", 5),
    )
    assert shape("SELECT 'a' FROM t WHERE a = 5")[1] == ()
    assert shape('SELECT "a" FROM t WHERE a = 5')[1] == ()
    assert shape("SELECT a FROM t WHERE c1 = 1.5")[1] == ()
