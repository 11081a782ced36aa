"""State that lies cold in the log gives the same records and the same rows as state in memory."""

from __future__ import annotations

import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.log import Log, MemoryLog, SqliteLog
from ksqlkit.engine.runtime.query import HOT_PROPERTY
from tests.support.streaming import STREAM_L, STREAM_R, TABLE_L, TABLE_R, failures, feed, records

HOUR = 3_600_000
COUNTS = (
    "CREATE TABLE O AS SELECT ID, COUNT(*) AS N, COLLECT_LIST(V) AS C FROM L WINDOW {} GROUP BY ID EMIT {};"
)
JOIN = "CREATE STREAM O AS SELECT ROWKEY AS K, L.V AS V, R.W AS W FROM L {} JOIN R WITHIN {} ON L.ID = R.ID;"
INNER = JOIN.replace("ROWKEY AS K", "L.ID")
QUERIES = {
    "tumbling": COUNTS.format("TUMBLING (SIZE 1 MINUTE)", "CHANGES"),
    "tumbling, final": COUNTS.format("TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 5 MINUTES)", "FINAL"),
    "hopping": COUNTS.format(
        "HOPPING (SIZE 1 MINUTE, ADVANCE BY 20 SECONDS, GRACE PERIOD 10 MINUTES)", "CHANGES"
    ),
    "hopping, final": COUNTS.format(
        "HOPPING (SIZE 1 MINUTE, ADVANCE BY 20 SECONDS, GRACE PERIOD 0 SECONDS)", "FINAL"
    ),
    "sessions": COUNTS.format("SESSION (30 SECONDS)", "CHANGES"),
    "sessions, final": COUNTS.format("SESSION (30 SECONDS, GRACE PERIOD 3 MINUTES)", "FINAL"),
    "inner join": INNER.format("", "1 MINUTE"),
    "left join": INNER.format("LEFT", "1 MINUTE GRACE PERIOD 5 MINUTES"),
    "by key": "CREATE TABLE O AS SELECT ID, COUNT(*) AS N, COLLECT_LIST(V) AS C FROM L GROUP BY ID;",
    "table by group": "CREATE TABLE O AS SELECT W % 7 AS ID, COUNT(*) AS N, SUM(W) AS S FROM T GROUP BY W % 7;",
    "stream-table join": INNER.replace("R WITHIN {}", "T R").format("LEFT"),
    "table join": "CREATE TABLE O AS SELECT U.ID AS ID, V, W FROM U LEFT JOIN T ON U.ID = T.ID;",
    "foreign-key join": "CREATE TABLE O AS SELECT U.ID AS ID, V, W FROM U JOIN T ON U.G = T.ID;",
    "full join": JOIN.format("FULL OUTER", "1 MINUTE GRACE PERIOD 5 MINUTES"),
}


def rows_of(seed: int, count: int) -> list[Any]:
    """Records of few keys: time stands still, goes on or leaps, and some of them are late, by little or by much."""
    chance, now, rows = random.Random(seed), HOUR, []
    for number in range(count):
        now += 1000 * chance.choice([0, 1, 1, 5, 5, 20, 20, 90] + [700] * (number % 7 == 6))
        late = 1000 * chance.choice([0, 0, 0, 0, 0, 15, 61, 200, 2_000])
        value = {"V": number, "W": number, "G": chance.choice("abc")}
        gone = chance.random() < 0.15  # means something to tables only
        rows.append(
            (chance.choice("LLR"), chance.choice("aabc"), None if gone else value, max(0, now - late))
        )
    return rows


def outcome(query: str, rows: list[Any], hot: int, log: Log, partitions: int, polled: int) -> Any:
    """Every record that came out, and what pull queries answer on the way and at the end."""
    engine = Engine(
        log,
        properties={"ksql.logging.processing.stream.auto.create": False, HOT_PROPERTY: hot},
    )
    tables = (s.replace(" L ", " U ").replace(" R ", " T ") for s in (TABLE_L, TABLE_R))
    for statement in (STREAM_L, STREAM_R, *tables, query):
        engine.execute(
            statement.replace("{n}", str(partitions)), properties={"auto.offset.reset": "earliest"}
        )
    answers = []
    for at in range(0, len(rows), polled):
        feed(engine, rows[at : at + polled], each=False)
        if "TABLE" in query and (at >= len(rows) - polled or at % 20 == 0):
            key, windows = ("3", "") if "%" in query else ("'a'", " AND WINDOWSTART >= 3700000")
            wheres = "", f"WHERE ID = {key}", f"WHERE ID = {key}{windows if 'WINDOW' in query else ''}"
            answers += [engine.query(f"SELECT * FROM O {where};").rows for where in wheres]
    assert not failures(engine)
    found = records(engine)
    engine.close()
    return found, answers


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
@settings(max_examples=4, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    count=st.integers(30, 70),
    partitions=st.sampled_from([1, 1, 3]),
    polled=st.sampled_from([2, 4, 10]),
)
def test_cold_state_is_the_same_state(
    query: str, seed: int, count: int, partitions: int, polled: int
) -> None:
    rows = rows_of(seed, count)
    polled = (
        polled if partitions == 1 else 1
    )  # what several tasks see in a poll comes in the order of their turns
    expected = outcome(query, rows, 10_000, MemoryLog(), partitions, polled)
    assert outcome(query, rows, 0, MemoryLog(), partitions, polled) == expected
    with TemporaryDirectory() as folder:
        log = SqliteLog(Path(folder) / "log.db")
        assert outcome(query, rows, 3 * partitions, log, partitions, polled) == expected
        log.close()
