"""Records that could not be answered: as they came, with the reason in their headers."""

from __future__ import annotations

from ksqlkit.engine.log.protocol import Headers, Output, Record
from ksqlkit.processor.tasks import Failure

LONGEST = 1000  # characters of a message


def dead_letter(
    topic: str, target: int, source: str, partition: int, record: Record, failure: Failure
) -> Output:
    """The record for partition `target` of the dead-letter topic: key, value, time and headers as they came, then CODE,
    MESSAGE, FUNCTION (empty where the record itself is at fault), TOPIC, PARTITION and OFFSET as text."""
    reason = {
        "CODE": failure.code,
        "MESSAGE": failure.message[:LONGEST],
        "FUNCTION": failure.function,
        "TOPIC": source,
        "PARTITION": str(partition),
        "OFFSET": str(record.offset),
    }
    headers: Headers = (*record.headers, *((name, text.encode()) for name, text in reason.items()))
    return Output(topic, target, record.timestamp, record.key, record.value, headers)
