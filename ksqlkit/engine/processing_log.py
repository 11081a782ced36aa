"""The processing log: what went wrong with single records, as a topic that SQL can read.

The stream's columns are ksqlDB's; kinds that did not happen are null in a row.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson

from ksqlkit.engine.log.protocol import Output
from ksqlkit.engine.properties import Properties

if TYPE_CHECKING:
    from ksqlkit.engine.runtime.query import ProcessingError

MAX_PER_POLL = 1_000  # a flood of bad records must not grow the log faster than the good ones
RETENTION_BYTES = 64 * 1024 * 1024

COLUMNS: Final = """
logger VARCHAR, level VARCHAR, time BIGINT,
message STRUCT<
  type INT,
  deserializationError STRUCT<
    target VARCHAR, errorMessage VARCHAR, recordB64 VARCHAR, cause ARRAY<VARCHAR>, `topic` VARCHAR>,
  recordProcessingError STRUCT<errorMessage VARCHAR, record VARCHAR, cause ARRAY<VARCHAR>>,
  productionError STRUCT<errorMessage VARCHAR>,
  serializationError STRUCT<
    target VARCHAR, errorMessage VARCHAR, record VARCHAR, cause ARRAY<VARCHAR>, `topic` VARCHAR>,
  kafkaStreamsThreadError STRUCT<errorMessage VARCHAR, threadName VARCHAR, cause ARRAY<VARCHAR>>>
"""
_TYPES: Final = {
    "DESERIALIZATION_ERROR": 0,
    "RECORD_PROCESSING_ERROR": 1,
    "PRODUCTION_ERROR": 2,
    "SERIALIZATION_ERROR": 3,
    "KAFKA_STREAMS_THREAD_ERROR": 4,
}


def create_stream_sql(properties: Properties) -> str:
    """The statement that declares the stream over the processing log's topic."""
    name = properties["ksql.logging.processing.stream.name"]
    topic = properties["ksql.logging.processing.topic.name"]
    return (
        f"CREATE STREAM {name} ({COLUMNS}) WITH (KAFKA_TOPIC='{topic}', VALUE_FORMAT='JSON', PARTITIONS=1);"
    )


class ProcessingLog:
    """Collects errors during a poll; `drain` gives them as records. Counts all, writes at most MAX_PER_POLL a poll."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.counts: Counter[tuple[str, str]] = Counter()  # (query id, kind)
        self._waiting: list[ProcessingError] = []
        self._dropped: Counter[str] = Counter()

    def add(self, error: ProcessingError) -> None:
        """Take an error; called by queries while they work."""
        self.counts[error.query_id, error.kind] += 1
        if len(self._waiting) < MAX_PER_POLL:
            self._waiting.append(error)
        else:
            self._dropped[error.query_id] += 1

    def drain(self, now: int) -> Sequence[Output]:
        """The errors since the last call as records of the topic; what was left out is said in a last one."""
        if not self._waiting:
            return ()
        rows = [_row(error, now) for error in self._waiting]
        for query_id, count in self._dropped.items():
            text = f"{count} more errors of this query were left out here"
            rows.append(_entry(f"processing.{query_id}", "WARN", now, 1, recordProcessingError=_record(text)))
        self._waiting, self._dropped = [], Counter()
        return [Output(self.topic, 0, now, None, _dumps(row)) for row in rows]


def _dumps(row: dict[str, Any]) -> bytes:
    """A row as JSON; half a surrogate pair, which JSON can escape and UTF-8 cannot hold, becomes `?`."""
    try:
        return orjson.dumps(row)
    except TypeError:
        return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _record(message: str, record: str | None = None, cause: Sequence[str] = ()) -> dict[str, Any]:
    return {"errorMessage": message, "record": record, "cause": list(cause)}


def _entry(logger: str, level: str, now: int, kind: int, **message: Any) -> dict[str, Any]:
    fields = dict.fromkeys(
        (
            "deserializationError",
            "recordProcessingError",
            "productionError",
            "serializationError",
            "kafkaStreamsThreadError",
        )
    )
    body = {"type": kind, **fields, **message}
    return {"level": level, "logger": logger, "time": now, "message": body}


def _row(error: ProcessingError, now: int) -> dict[str, Any]:
    logger = f"processing.{error.query_id}.{error.logger}"
    kind = _TYPES.get(error.kind, 1)
    causes = [error.cause] if isinstance(error.cause, str) else list(error.cause or ())
    if error.kind == "DESERIALIZATION_ERROR":
        data = base64.b64encode(error.record).decode() if error.record is not None else None
        target = "key" if error.logger.endswith("key") else "value"
        body = {
            "target": target,
            "errorMessage": error.message,
            "recordB64": data,
            "cause": causes,
            "topic": error.topic,
        }
        return _entry(logger, "ERROR", now, kind, deserializationError=body)
    if error.kind == "PRODUCTION_ERROR":
        return _entry(logger, "ERROR", now, kind, productionError={"errorMessage": error.message})
    if error.kind == "SERIALIZATION_ERROR":
        body = {"target": "value", **_record(error.message, None, causes), "topic": error.topic}
        return _entry(logger, "ERROR", now, kind, serializationError=body)
    if error.kind == "KAFKA_STREAMS_THREAD_ERROR":
        body = {"errorMessage": error.message, "threadName": error.query_id, "cause": causes}
        return _entry(logger, "ERROR", now, kind, kafkaStreamsThreadError=body)
    text = error.record.decode("utf-8", "replace") if error.record is not None else None
    return _entry(logger, "ERROR", now, kind, recordProcessingError=_record(error.message, text, causes))
