"""Which records a topic's settings let go: cleanup.policy, retention.ms, retention.bytes, segment.bytes,
delete.retention.ms.

Unlike a Kafka broker there is no default retention: a topic keeps its records unless its own configuration
says otherwise, because event times of loaded data are often years old. Compaction drops what Kafka drops; as a
broker leaves a topic's active segment alone, it waits for `segment.bytes` of new records, of which a small topic's
history is never more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ksqlkit.engine.log.protocol import Record, TopicInfo

DAY_MILLIS = 86_400_000
SEGMENT_BYTES = 16_777_216


@dataclass(frozen=True, slots=True)
class Policy:
    """A topic's clean-up settings; None is without limit, times in milliseconds."""

    delete: bool = True
    compact: bool = False
    max_age: int | None = None
    max_bytes: int | None = None
    tombstone_age: int = DAY_MILLIS
    segment_bytes: int = SEGMENT_BYTES

    @classmethod
    def of(cls, info: TopicInfo) -> Policy:
        """Read from the topic's configuration."""
        config = dict(info.config)
        policies = {p.strip() for p in config.get("cleanup.policy", "delete").split(",")}

        def limit(name: str) -> int | None:
            value = int(config.get(name, "-1"))
            return None if value < 0 else value

        return cls(
            "delete" in policies,
            "compact" in policies,
            limit("retention.ms"),
            limit("retention.bytes"),
            int(config.get("delete.retention.ms", DAY_MILLIS)),
            int(config.get("segment.bytes", SEGMENT_BYTES)),
        )


def worth_compacting(policy: Policy, fresh: int, total: int) -> bool:
    """Whether `fresh` of a partition's `total` bytes, not compacted so far, are a segment and half of it all."""
    return policy.compact and fresh >= policy.segment_bytes and 2 * fresh >= total


def size(record: Record) -> int:
    """Bytes of key and value."""
    return len(record.key or b"") + len(record.value or b"")


def expired(records: Sequence[Record], policy: Policy, now: int) -> int:
    """How many records at the start are too old, or too many bytes ago, at `now`."""
    if not policy.delete:
        return 0
    count = 0
    if policy.max_age is not None:
        while count < len(records) and records[count].timestamp < now - policy.max_age:
            count += 1
    if policy.max_bytes is not None:
        total = sum(map(size, records[count:]))
        while count < len(records) and total > policy.max_bytes:
            total -= size(records[count])
            count += 1
    return count


def compacted(records: Sequence[Record], policy: Policy, now: int) -> list[Record]:
    """The last record of each key (records without a key all stay), without tombstones older than allowed."""
    last = {r.key: r.offset for r in records}
    return [
        r
        for r in records
        if r.key is None
        or (last[r.key] == r.offset and (r.value is not None or r.timestamp >= now - policy.tombstone_age))
    ]
