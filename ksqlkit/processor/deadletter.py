"""Records that could not be answered: as they came, with the reason in their headers."""

from __future__ import annotations

from ksqlkit.engine.log.protocol import Headers, Output, Record
from ksqlkit.processor.tasks import Failure, size

LONGEST = 1000  # characters of a message


def dead_letter(
    topic: str, target: int, source: str, partition: int, record: Record, failure: Failure, largest: int
) -> Output:
    """The record for partition `target` of the dead-letter topic: key, value, time and headers as they came, then CODE,
    MESSAGE, FUNCTION (empty where the record itself is at fault), TOPIC, PARTITION and OFFSET as text.

    A record of more than `largest` bytes goes without its value, then without its headers, then without its key; the
    header OMITTED tells what is missing. It is still where TOPIC, PARTITION and OFFSET say.
    """
    reason = {
        "CODE": failure.code,
        "MESSAGE": failure.message[:LONGEST],
        "FUNCTION": failure.function,
        "TOPIC": source,
        "PARTITION": str(partition),
        "OFFSET": str(record.offset),
    }
    key, value, headers = record.key, record.value, record.headers
    omitted = []
    if size(key, value, headers) > largest and value is not None:
        omitted.append(f"value of {len(value)} bytes")
        value = None
    if size(key, value, headers) > largest and headers:
        omitted.append(f"{len(headers)} headers")
        headers = ()
    if size(key, value, headers) > largest and key is not None:
        omitted.append(f"key of {len(key)} bytes")
        key = None
    if omitted:
        reason["OMITTED"] = ", ".join(omitted)
    told: Headers = (*headers, *((name, text.encode()) for name, text in reason.items()))
    return Output(topic, target, record.timestamp, key, value, told)
