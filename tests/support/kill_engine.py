"""A process that feeds an engine batch by batch and is meant to be killed: it goes on from what its log holds.

`python -m tests.support.kill_engine LOG BATCHES HOT` prints `ready`, a line for each batch that is done, and `done`.
HOT is how many entries of a store stay in memory; the others are read back from the log.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.engine.log.sqlite import SqliteLog
from ksqlkit.engine.runtime.query import HOT_PROPERTY

ROWS = 240  # in a batch and topic
TOPICS = ("clicks", "orders", "users", "cities")
PARTITIONS = 2
START = 1_700_000_000_000

_ROW = "id STRING {key}, v INT, g STRING"
_WITH = "WITH (kafka_topic='{topic}', value_format='JSON', partitions=2);"
SOURCES = [
    f"CREATE {kind} {topic} ({_ROW.format(key=key)}) {_WITH.format(topic=topic)}"
    for kind, key, topics in (("STREAM", "KEY", TOPICS[:2]), ("TABLE", "PRIMARY KEY", TOPICS[2:]))
    for topic in topics
]

# What each query writes has one right order: rows keep their partition, and time decides between topics.
ORDERED = {
    "FILTERED": "CREATE STREAM filtered AS SELECT id, v * 2 AS w FROM clicks WHERE v % 3 <> 0;",
    "TUMBLED": "CREATE TABLE tumbled AS SELECT id, COUNT(*) AS n, SUM(v) AS s FROM clicks "
    "WINDOW TUMBLING (SIZE 5 SECONDS, GRACE PERIOD 10 SECONDS) GROUP BY id;",
    "HOPPED": "CREATE TABLE hopped AS SELECT id, COUNT(*) AS n, MAX(v) AS m FROM orders "
    "WINDOW HOPPING (SIZE 8 SECONDS, ADVANCE BY 2 SECONDS, GRACE PERIOD 2 SECONDS) GROUP BY id EMIT FINAL;",
    "SESSIONS": "CREATE TABLE sessions AS SELECT id, COUNT(*) AS n, LATEST_BY_OFFSET(g) AS g FROM orders "
    "WINDOW SESSION (2 SECONDS, GRACE PERIOD 10 SECONDS) GROUP BY id;",
    "JOINED": "CREATE STREAM joined AS SELECT ROWKEY AS id, c.v AS v, o.v AS w FROM clicks c FULL OUTER JOIN orders o "
    "WITHIN 2 SECONDS GRACE PERIOD 3 SECONDS ON c.id = o.id;",
    "ENRICHED": "CREATE STREAM enriched AS SELECT c.id AS id, c.v AS v, u.g AS g FROM clicks c LEFT JOIN users u "
    "ON c.id = u.id;",
    "SCORED": "CREATE STREAM scored AS SELECT id, SLOW_TWICE(v) AS w FROM clicks WHERE SLOW_TWICE(v) % 3 <> 0;",
    "OFTEN": "CREATE TABLE often AS SELECT id, COUNT(*) AS n FROM clicks GROUP BY id HAVING SLOW_TWICE(COUNT(*)) > 4;",
    "PAIRS": "CREATE TABLE pairs AS SELECT u.id AS id, u.v AS v, c.v AS w FROM users u LEFT JOIN cities c "
    "ON u.id = c.id;",
}

# Several queries, or several partitions, write to one partition here: any order of theirs is right.
UNORDERED = {
    "MERGED": "CREATE STREAM merged AS SELECT id, v, 'click' AS kind FROM clicks;",
    "REKEYED": "CREATE STREAM rekeyed AS SELECT g, id, v FROM clicks PARTITION BY g;",
}
REST = (
    "INSERT INTO merged SELECT id, v, 'order' AS kind FROM orders;",
    "CREATE TABLE totals AS SELECT g, COUNT(*) AS n, SUM(v) AS s FROM rekeyed GROUP BY g;",
)


class SlowTwice:
    """A remote function: kills come while it is waited for, too."""

    def call(self, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Twice each number, after a while."""
        time.sleep(0.003)
        return [None if row[0] is None else row[0] * 2 for row in rows]


def functions() -> Registry:
    """The built-in functions and SLOW_TWICE."""
    made = Registry()
    overload = {"args": [{"name": "v", "type": "BIGINT"}], "returns": "BIGINT"}
    made.register_remote("SLOW_TWICE", [overload], SlowTwice())
    return made


def batch(topic: str, number: int) -> Iterator[tuple[bytes, bytes | None, int]]:
    """The records (key, value, timestamp) of a batch: some late, some of them tombstones of tables."""
    chance = random.Random(f"{topic}/{number}")
    for row in range(ROWS):
        late = chance.choice((0, 0, 0, 700, 4_000, 15_000))
        moment = START + (number * ROWS + row) * 40 - late
        value = {"V": chance.randrange(100), "G": f"g{chance.randrange(9)}"}
        gone = topic in ("users", "cities") and chance.random() < 0.1
        yield b"k%d" % chance.randrange(25), None if gone else orjson.dumps(value), moment


def fill(engine: Engine, topic: str, number: int) -> None:
    """Produce a batch, unless the log holds it already."""
    held = sum(engine.log.end_offset(topic, p) for p in range(PARTITIONS))
    if held <= number * ROWS:
        engine.produce_many(topic, batch(topic, number))


def work(path: str, batches: int, hot: int) -> None:
    """Feed and process every batch that is not there yet."""
    settings = {
        "auto.offset.reset": "earliest",
        "ksql.logging.processing.stream.auto.create": False,
        HOT_PROPERTY: hot,
    }
    engine = Engine(SqliteLog(path), functions=functions(), properties=settings)
    # A kill may come between two statements: what is there already is the first so many of them.
    statements = [*SOURCES, *ORDERED.values(), *UNORDERED.values(), *REST]
    held = sum(1 for name in engine.log.load_meta() if name.startswith("command/"))
    for statement in statements[held:]:
        engine.execute(statement)
    print("ready", flush=True)
    # A batch that was cut off is completed first: what the queries see together must not depend on the kill.
    most = max(sum(engine.log.end_offset(t, p) for p in range(PARTITIONS)) for t in TOPICS)
    for number in range(max(0, most // ROWS - 1), batches):
        for topic in TOPICS:
            fill(engine, topic, number)
        engine.run_until_idle()
        print(number, flush=True)
    engine.close()
    print("done", flush=True)


if __name__ == "__main__":
    work(sys.argv[1], *map(int, sys.argv[2:]))
