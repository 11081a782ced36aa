"""Kafka's messages as records, many at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby, repeat
from operator import itemgetter, methodcaller
from typing import TYPE_CHECKING, Any, Final

from ksqlkit.engine.log.protocol import Headers, Record

if TYPE_CHECKING:
    from confluent_kafka import Message

_PARTITION: Final = methodcaller("partition")
_OFFSET, _KEY, _VALUE = methodcaller("offset"), methodcaller("key"), methodcaller("value")
_HEADERS, _TIMESTAMP, _SECOND = methodcaller("headers"), methodcaller("timestamp"), itemgetter(1)
_new: Any = tuple.__new__


def records_of(messages: Iterable[Message]) -> dict[int, list[Record]]:
    """Records by partition, in the order they came in. No message may be an error."""
    found: dict[int, list[Message]] = {}
    for partition, run in groupby(messages, _PARTITION):
        found.setdefault(partition, []).extend(run)
    return {partition: _records(run) for partition, run in found.items()}


def _records(messages: Sequence[Message]) -> list[Record]:
    # Whole columns at a time: a statement of Python for each record would cost several times as much.
    given = list(map(_HEADERS, messages))
    headers: Iterable[Headers] = [tuple(h) if h else () for h in given] if any(given) else repeat(())
    times = map(_SECOND, map(_TIMESTAMP, messages))
    keys, values = map(_KEY, messages), map(_VALUE, messages)
    rows = zip(map(_OFFSET, messages), times, keys, values, headers, strict=False)
    return list(map(_new, repeat(Record), rows))
