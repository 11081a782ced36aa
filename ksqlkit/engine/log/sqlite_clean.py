"""Retention, compaction and joining of small chunks in the durable log, one partition at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from ksqlkit.engine.log.chunk import Chunk
from ksqlkit.engine.log.protocol import Record, TopicInfo
from ksqlkit.engine.log.retention import Policy, expired, size, worth_compacting

_TARGET_RECORDS: Final = 5000
_TARGET_BYTES: Final = 1_000_000
_DELETE: Final = "DELETE FROM chunk WHERE id = ?"
_ADD: Final = "INSERT INTO chunk (part, last, count, newest, bytes, data) VALUES (?, ?, ?, ?, ?, ?)"


@dataclass(slots=True)
class Part:
    """A partition: its row, the first offset kept, the next offset, and how far it is compacted."""

    id: int
    first: int
    next: int
    clean: int


@dataclass(frozen=True, slots=True)
class Result:
    """What cleaning did to a partition."""

    first: int
    clean: int
    removed: int


class _Row(NamedTuple):
    """A chunk without its data."""

    id: int
    last: int
    records: int
    newest: int
    bytes: int


def clean(db: sqlite3.Connection, part: Part, info: TopicInfo, now: int) -> Result:
    """Clean one partition inside the caller's transaction."""
    policy = Policy.of(info)
    rows = [
        _Row(*row)
        for row in db.execute(
            "SELECT id, last, count, newest, bytes FROM chunk WHERE part = ? ORDER BY last", (part.id,)
        )
    ]
    before = _count(db, part.first, rows)
    first = _expire(db, part, policy, rows, now)
    compacted_to = part.clean
    fresh = sum(row.bytes for row in rows if row.last >= part.clean)
    if worth_compacting(policy, fresh, sum(row.bytes for row in rows)):
        _compact(db, part.id, first, policy, rows, now)
        compacted_to = part.next
    else:
        _join_small(db, part.id, first, rows)
    rows = [
        _Row(*row)
        for row in db.execute(
            "SELECT id, last, count, newest, bytes FROM chunk WHERE part = ? ORDER BY last", (part.id,)
        )
    ]
    removed = before - _count(db, first, rows)
    db.execute("UPDATE part SET first = ?, clean = ? WHERE id = ?", (first, compacted_to, part.id))
    return Result(first, compacted_to, removed)


def _records(db: sqlite3.Connection, row: _Row, first: int) -> list[Record]:
    blob = db.execute("SELECT data FROM chunk WHERE id = ?", (row.id,)).fetchone()[0]
    return Chunk.decode(blob, row.last).records(first)


def _count(db: sqlite3.Connection, first: int, rows: list[_Row]) -> int:
    """Records from offset `first` on; only the first chunk can hold older ones."""
    if not rows:
        return 0
    return sum(row.records for row in rows[1:]) + len(_records(db, rows[0], first))


def _expire(db: sqlite3.Connection, part: Part, policy: Policy, rows: list[_Row], now: int) -> int:
    """Delete whole chunks that are gone by age or size (and from `rows`); the first offset kept."""
    first = part.first
    if not policy.delete or (policy.max_age is None and policy.max_bytes is None):
        return first
    rest = sum(row.bytes for row in rows)
    while rows:
        records = _records(db, rows[0], first)
        rest -= rows[0].bytes
        allowed = None if policy.max_bytes is None else policy.max_bytes - rest
        gone = _gone(records, policy, allowed, now)
        if gone < len(records):
            return records[gone].offset if gone or first != part.first else first
        db.execute(_DELETE, (rows[0].id,))
        first = rows.pop(0).last + 1
    return part.next


def _gone(records: list[Record], policy: Policy, allowed: int | None, now: int) -> int:
    """Expired records at the start of a chunk, when `allowed` bytes of it may stay (all, or fewer than
    none)."""
    if allowed is not None and allowed < 0:
        return len(records)
    return expired(records, Policy(max_age=policy.max_age, max_bytes=allowed), now)


def _compact(
    db: sqlite3.Connection, part: int, first: int, policy: Policy, rows: list[_Row], now: int
) -> None:
    """Keep the last record of each key, old tombstones excepted."""
    last: dict[bytes | None, int] = {}
    for row in rows:
        last |= {r.key: r.offset for r in _records(db, row, first)}
    oldest_tombstone = now - policy.tombstone_age

    def kept(row: _Row) -> Iterator[Record]:
        for r in _records(db, row, first):
            if r.key is None or (
                last[r.key] == r.offset and (r.value is not None or r.timestamp >= oldest_tombstone)
            ):
                yield r

    buffer: list[Record] = []
    for row in rows:
        buffer += kept(row)
        db.execute(_DELETE, (row.id,))
        if len(buffer) >= _TARGET_RECORDS or sum(map(size, buffer)) >= _TARGET_BYTES:
            _write(db, part, buffer)
            buffer = []
    _write(db, part, buffer)


def _join_small(db: sqlite3.Connection, part: int, first: int, rows: list[_Row]) -> None:
    """Turn runs of small chunks, as single inserts leave them, into large ones."""
    run: list[_Row] = []
    records = taken = 0
    for row in rows:
        records, taken = records + row.records, taken + row.bytes
        if records > _TARGET_RECORDS or taken > _TARGET_BYTES:
            _join(db, part, first, run)
            run, records, taken = [], row.records, row.bytes
        run.append(row)
    _join(db, part, first, run)


def _join(db: sqlite3.Connection, part: int, first: int, run: list[_Row]) -> None:
    if len(run) < 2:
        return
    joined = [record for row in run for record in _records(db, row, first)]
    for row in run:
        db.execute(_DELETE, (row.id,))
    _write(db, part, joined)


def _write(db: sqlite3.Connection, part: int, records: list[Record]) -> None:
    if records:
        chunk = Chunk.of(records)
        newest = max(chunk.timestamps)
        db.execute(_ADD, (part, chunk.offsets[-1], len(records), newest, chunk.size, chunk.encode()))
