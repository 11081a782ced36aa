"""What went wrong with single records; the query goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ErrorKind = Literal[
    "DESERIALIZATION_ERROR",
    "RECORD_PROCESSING_ERROR",
    "PRODUCTION_ERROR",
    "SERIALIZATION_ERROR",
    "KAFKA_STREAMS_THREAD_ERROR",
]


@dataclass(frozen=True, slots=True)
class ProcessingError:
    """One entry for the processing log. `logger` is the part after the query's id; `cause` what led to the message,
    outermost first; `record` the bytes that are bad, or the row as JSON."""

    kind: ErrorKind
    message: str
    cause: str | tuple[str, ...]
    query_id: str
    logger: str
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    record: bytes | None = None
    target: Literal["key", "value"] = "value"  # which side of the record could not be read or written
