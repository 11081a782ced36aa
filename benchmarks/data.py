"""Rows that the workloads read, the same in every run."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.kept_schemas import EMBEDDED
from ksqlkit.engine.log.protocol import Commit, Output
from ksqlkit.engine.log.sqlite import SqliteLog

USERS = 1_000
START = 1_700_000_000_000
_BATCH = 10_000

ORDERS = (
    "CREATE STREAM ORDERS (USER_ID STRING KEY, ORDER_ID BIGINT, AMOUNT DOUBLE, CITY STRING, NOTE STRING, "
    "PAID BOOLEAN) WITH (kafka_topic='orders', value_format='JSON', partitions=1);"
)
RETURNS = ORDERS.replace("ORDERS", "RETURNS").replace("'orders'", "'returns'")
USERS_TABLE = (
    "CREATE TABLE USERS (USER_ID STRING PRIMARY KEY, NAME STRING, LEVEL INT) "
    "WITH (kafka_topic='users', value_format='JSON', partitions=1);"
)


def orders(count: int, *, topic: str = "orders", users: int = USERS, seed: int = 7) -> Iterator[Output]:
    """Rows of about 110 bytes, 100 a second of event time."""
    chance = random.Random(seed)
    for i in range(count):
        value = (
            b'{"ORDER_ID":%d,"AMOUNT":%.2f,"CITY":"city_%d",'
            b'"NOTE":"a note that fills the row up to its size","PAID":true}'
            % (i, chance.random() * 100, i % 100)
        )
        yield Output(topic, 0, START + i * 10, b"user_%d" % chance.randrange(users), value)


def users(count: int = USERS) -> Iterator[Output]:
    """One row for each user, older than all orders."""
    for i in range(count):
        value = b'{"NAME":"name of user %d","LEVEL":%d}' % (i, i % 7)
        yield Output("users", 0, START - 1, b"user_%d" % i, value)


@contextmanager
def durable_engine() -> Iterator[Engine]:
    """An engine on a durable log in a folder of its own that goes away afterwards."""
    with TemporaryDirectory() as folder:
        engine = Engine(
            SqliteLog(Path(folder) / "log.db"),
            properties={
                "auto.offset.reset": "earliest",
                "ksql.logging.processing.stream.auto.create": False,
                "ksql.schema.registry.url": EMBEDDED,
            },
        )
        try:
            yield engine
        finally:
            engine.close()


def write(engine: Engine, rows: Sequence[Output]) -> None:
    """Append rows, ten thousand a commit."""
    for at in range(0, len(rows), _BATCH):
        engine.log.commit(Commit(outputs=rows[at : at + _BATCH]))
