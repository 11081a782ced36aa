"""Queries whose state is mostly in the log: taken up again, taken over from format version 1, deleted in time, and
those that keep nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.log import SqliteLog
from ksqlkit.engine.runtime.query import HOT_PROPERTY
from ksqlkit.engine.state.codec import CODEC
from ksqlkit.engine.state.spilling import HEAD, stamp, unstamp
from tests.support.streaming import STREAM_L, STREAM_R, failures, feed, records

SETTINGS = {"ksql.logging.processing.stream.auto.create": False, "auto.offset.reset": "earliest"}
COUNTS = "CREATE TABLE O AS SELECT ID, COUNT(*) AS N, SUM(V) AS S FROM L WINDOW {} GROUP BY ID EMIT {};"
QUERIES = {
    "hopping": COUNTS.format("HOPPING (SIZE 20 SECONDS, ADVANCE BY 5 SECONDS)", "CHANGES"),
    "final": COUNTS.format("TUMBLING (SIZE 20 SECONDS, GRACE PERIOD 2 MINUTES)", "FINAL"),
    "sessions": COUNTS.format("SESSION (10 SECONDS)", "CHANGES"),
    "final sessions": COUNTS.format("SESSION (10 SECONDS, GRACE PERIOD 2 MINUTES)", "FINAL"),
    "join": "CREATE STREAM O AS SELECT ROWKEY AS K, V, W FROM L FULL OUTER JOIN R WITHIN 20 SECONDS "
    "GRACE PERIOD 5 MINUTES ON L.ID = R.ID;",
}
ROWS: list[Any] = [
    ("LR"[i % 3 == 0], f"k{i % 4}", {"V": i % 7, "W": i}, 1_000_000 + 7_000 * i - 20_000 * (i % 5 == 0))
    for i in range(90)
]


def started(path: Path, query: str, hot: int = 10_000) -> Engine:
    made = Engine(SqliteLog(path), properties={**SETTINGS, HOT_PROPERTY: hot})
    if not made.topics():
        for statement in (STREAM_L, STREAM_R, query):
            made.execute(statement.replace("{n}", "2"))
    return made


def outcome(engine: Engine) -> Any:
    assert not failures(engine)
    assert not engine.context.startup_errors
    table = engine.context.catalog.get("O")
    assert table is not None
    pulled = engine.query("SELECT * FROM O;").rows if table.kind == "TABLE" else ()
    return records(engine), pulled


def whole(folder: Path, query: str) -> Any:
    engine = started(folder / "whole.db", query)
    feed(engine, ROWS)
    found = outcome(engine)
    engine.close()
    return found


def as_version_1(path: Path, *, windows: bool) -> int:
    """Give the state of windows, or of sessions and joins, the keys it had then; how many entries that changed."""
    db = sqlite3.connect(path)
    changed = 0
    for store, name in db.execute("SELECT id, name FROM store").fetchall():
        if name.split("/")[1].endswith("-times"):
            continue
        state = db.execute("SELECT key, value FROM state WHERE store = ?", (store,)).fetchall()
        db.execute("DELETE FROM state WHERE store = ?", (store,))
        for raw, value in state:
            if raw == HEAD or raw[8:12] == b"\xff" * 4:  # the store's numbers; a session's second entry
                continue
            if windows:
                key = (unstamp(raw), CODEC.decode_key(raw[8:]))
            elif name.split("/")[1].endswith("-outer"):
                key = (unstamp(raw), raw[8], raw[9:])
            else:
                key = (CODEC.decode_key(raw[12:-16]), unstamp(raw[-16:]), unstamp(raw[-8:]))
            db.execute("INSERT INTO state VALUES (?, ?, ?)", (store, CODEC.encode(key), value))
            changed += 1
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()
    return changed


@pytest.mark.parametrize("hot", [2, 10_000])
@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_state_of_version_1_is_taken_over(tmp_path: Path, query: str, hot: int) -> None:
    path = tmp_path / "log.db"
    engine = started(path, query)
    feed(engine, ROWS[:40])
    before = outcome(engine)
    engine.close()
    engine.log.close()
    assert as_version_1(path, windows="SIZE" in query) > 5
    engine = started(path, query, hot)
    assert outcome(engine) == before
    feed(engine, ROWS[40:])
    assert outcome(engine) == whole(tmp_path, query)
    engine.close()
    engine.log.close()


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_cold_state_is_taken_up_again(tmp_path: Path, query: str) -> None:
    path = tmp_path / "log.db"
    for at in range(0, len(ROWS), 30):
        engine = started(path, query, hot=2)
        feed(engine, ROWS[at : at + 30])
        found = outcome(engine)
        engine.log.close()  # nothing is told that the end has come
    assert found == whole(tmp_path, query)


def test_the_log_forgets_what_retention_passed(tmp_path: Path) -> None:
    retained = "TUMBLING (SIZE 1 SECOND, RETENTION 1 MINUTE, GRACE PERIOD 1 SECOND)"
    engine = started(tmp_path / "log.db", COUNTS.format(retained, "CHANGES"), hot=10)
    (name,) = (
        e.label("Aggregate-Aggregate") for q in engine.context.running.values() for e in q._environments[:1]
    )
    held = []
    for part in range(6):
        feed(engine, [("L", "k", {"V": 1}, 1_000_000 * part + 1000 * i) for i in range(200)], each=False)
        held.append([key for key, _ in engine.log.scan_state(name) if key != HEAD])
    assert [len(keys) for keys in held] == [60] * 6
    assert held[-1][0][:8] == stamp(5_000_000 + 140_000)
    engine.close()
    engine.log.close()


def test_a_push_query_keeps_little_in_memory_and_is_right() -> None:
    select = QUERIES["hopping"].removeprefix("CREATE TABLE O AS ")
    answers = []
    for hot in (4, 10_000):
        with Engine(properties={**SETTINGS, HOT_PROPERTY: hot}) as engine:
            for stream in (STREAM_L, STREAM_R):
                engine.execute(stream.replace("{n}", "1"))
            push = engine.query(select)
            for at in range(0, len(ROWS), 10):
                feed(engine, ROWS[at : at + 10], each=False)
            answers.append(push.poll())
            runner: Any = push._runner
            windows = runner._environments[0].stores[f"{push.query_id}/Aggregate-Aggregate/0"]
            assert (sum(map(len, windows.data.values())) < 10) == (hot == 4)
            push.close()
    assert answers[0] == answers[1]
    assert answers[0]
