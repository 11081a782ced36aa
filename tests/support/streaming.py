"""Statements and rows in, records out: the engine as operator tests use it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.engine.log.protocol import Log, Record

JSON = "WITH (kafka_topic='{}', value_format='JSON', partitions={n});"
STREAM_L = "CREATE STREAM L (ID STRING KEY, V INT, G STRING) " + JSON.replace("{}", "L")
STREAM_R = "CREATE STREAM R (ID STRING KEY, W INT, H STRING) " + JSON.replace("{}", "R")
TABLE_L = STREAM_L.replace("STREAM", "TABLE").replace("KEY,", "PRIMARY KEY,")
TABLE_R = STREAM_R.replace("STREAM", "TABLE").replace("KEY,", "PRIMARY KEY,")

Fed = tuple[str, str | None, dict[str, Any] | None, int]  # topic, key, value, timestamp
Out = tuple[str | None, dict[str, Any] | None, int]  # key, value, timestamp


def engine(
    *statements: str, partitions: int = 1, log: Log | None = None, functions: Registry | None = None
) -> Engine:
    """An engine that has run the statements, reading from the earliest record."""
    made = Engine(log, functions=functions, properties={"ksql.logging.processing.stream.auto.create": False})
    for statement in statements:
        made.execute(statement.replace("{n}", str(partitions)), properties={"auto.offset.reset": "earliest"})
    return made


def feed(target: Engine, rows: Iterable[Fed], *, each: bool = True) -> None:
    """Produce rows; with `each`, every one is processed before the next."""
    for topic, key, value, timestamp in rows:
        target.produce(
            topic,
            None if key is None else key.encode(),
            None if value is None else json.dumps(value).encode(),
            timestamp=timestamp,
        )
        if each:
            target.run_until_idle()
    target.run_until_idle()


def records(target: Engine, topic: str = "O") -> list[Record]:
    """All records of a topic, partition by partition."""
    count = target.topics()[topic].partitions
    return [r for p in range(count) for r in target.read(topic, p, 0, 1_000_000)]


def plain(found: Iterable[Record]) -> list[Out]:
    """Records with a text key and a JSON value, readable."""
    return [
        (
            None if r.key is None else r.key.decode(),
            None if r.value is None else json.loads(r.value),
            r.timestamp,
        )
        for r in found
    ]


def windowed(found: Iterable[Record], *, session: bool = False) -> list[tuple[str, int, Any, int]]:
    """(key, window start, value, timestamp) of records with a windowed key."""
    size = 16 if session else 8
    out = []
    for r in found:
        assert r.key is not None
        value = None if r.value is None else json.loads(r.value)
        out.append((r.key[:-size].decode(), int.from_bytes(r.key[-8:], "big"), value, r.timestamp))
    return out


def errors(target: Engine) -> list[str]:
    """Messages of the processing log."""
    topic = "default_ksql_processing_log"
    if topic not in target.topics():
        return []
    found = []
    for record in target.read(topic, 0, 0, 1000):
        message = json.loads(record.value or b"{}")["message"]
        found += [part["errorMessage"] for part in message.values() if isinstance(part, dict)]
    return found


def run(
    statements: Sequence[str],
    rows: Iterable[Fed],
    *,
    topic: str = "O",
    each: bool = True,
    partitions: int = 1,
) -> list[Out]:
    """What a topic holds after the rows went through the statements."""
    target = engine(*statements, partitions=partitions)
    try:
        feed(target, rows, each=each)
        assert not failures(target)
        return plain(records(target, topic))
    finally:
        target.close()


def failures(target: Engine) -> list[str]:
    """Why queries stopped."""
    return [e.error_message for q in target.context.queries for e in target.context.query_errors(q)]
