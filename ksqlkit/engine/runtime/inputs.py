"""Input topics of a task, read in the order Kafka Streams would take their records: smallest head timestamp first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from ksqlkit.engine.catalog import DataSource
from ksqlkit.engine.log.protocol import Log, Record
from ksqlkit.engine.serde import make_deserializer
from ksqlkit.engine.serde.registry import SchemaRegistry

TimeOf = Callable[[Record], int]
_NEVER: Final = 1 << 200  # after every timestamp: the head of an input at its end


def record_time(record: Record) -> int:
    """The timestamp that the record carries."""
    return record.timestamp


def column_time(
    source: DataSource, convert: Callable[[Any], int], schemas: SchemaRegistry | None = None
) -> TimeOf:
    """Time of records whose source names a timestamp column; -1 for a record without one, which is then skipped."""
    name = source.timestamp_column
    in_key = any(c.name == name for c in source.schema.key)
    columns = source.schema.key if in_key else [c for c in source.schema.value if c.header is None]
    fmt = source.key_format if in_key else source.value_format
    read = make_deserializer(fmt, columns, is_key=in_key, topic=source.topic, registry=schemas)
    index = next(i for i, c in enumerate(columns) if c.name == name)

    def time_of(record: Record) -> int:
        try:
            row = read(record.key if in_key else record.value)
            return -1 if row is None else convert(row[index])
        except Exception:
            return -1

    return time_of


class PartitionInput:
    """One topic partition: a buffer of records that are read but not processed, and the next offset to process."""

    def __init__(self, log: Log, topic: str, partition: int, position: int, time_of: TimeOf) -> None:
        self.log = log
        self.topic = topic
        self.partition = partition
        self.position = position
        self.time_of = time_of
        self.records: list[Record] = []
        self.at = 0

    def head(self, limit: int) -> int:
        """The time of the next record, with up to `limit` read where none is at hand; late at the end."""
        if self.at >= len(self.records):
            self.records = self.log.read(self.topic, self.partition, self.position, limit)
            self.at = 0
            if not self.records:
                return _NEVER
        return self.time_of(self.records[self.at])

    def take(self, count: int) -> list[Record]:
        """The next records; they count as processed."""
        whole = self.at == 0 and count >= len(self.records)
        taken = self.records if whole else self.records[self.at : self.at + count]
        self.at += len(taken)
        self.position = taken[-1].offset + 1
        return taken

    def run_below(self, bound: int, *, inclusive: bool, limit: int) -> int:
        """How many of the next records may go before another partition's head with timestamp `bound`."""
        time_of, end = self.time_of, min(len(self.records), self.at + limit)
        index = self.at + 1  # the head is known to go first
        while index < end:
            moment = time_of(self.records[index])
            if moment > bound or (moment == bound and not inclusive):
                break
            index += 1
        return index - self.at


def merged(inputs: list[PartitionInput], limit: int) -> Iterator[tuple[int, list[Record]]]:
    """(index of the input, run of records) until `limit` records are out or all partitions are at their end."""
    left = limit
    heads = [source.head(limit) for source in inputs]
    while left > 0:
        # The smallest head goes first, of equal ones that of the first input; up to where the next smallest stands.
        first = second = -1
        low = bound = _NEVER
        for index, moment in enumerate(heads):
            if moment < low:
                second, bound = first, low
                first, low = index, moment
            elif moment < bound:
                second, bound = index, moment
        if first < 0:
            return
        source = inputs[first]
        count = left if second < 0 else source.run_below(bound, inclusive=first < second, limit=left)
        taken = source.take(count)
        left -= len(taken)
        yield first, taken
        heads[first] = source.head(limit)
