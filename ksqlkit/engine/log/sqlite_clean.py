"""Retention, compaction and joining of small chunks in the durable log, one partition at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from ksqlkit.engine.log.chunk import Chunk
from ksqlkit.engine.log.protocol import Record, TopicInfo
from ksqlkit.engine.log.retention import Policy, expired, size, worth_compacting
from ksqlkit.engine.log.sqlite_schema import ADD_CHUNK

STEP_CHUNKS: Final = 16  # at most so many are read and written in one go
_TARGET_RECORDS: Final = 5000
_TARGET_BYTES: Final = 1_000_000
_DELETE: Final = "DELETE FROM chunk WHERE id = ?"


@dataclass(slots=True)
class Part:
    """A partition: its row, the first offset kept, the next offset, and how far it is compacted."""

    id: int
    first: int
    next: int
    clean: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a step did to a partition: the first offset kept and how far it is compacted from now on."""

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


def clean(db: sqlite3.Connection, part: Part, info: TopicInfo, now: int) -> Iterator[Result]:
    """Clean one partition in steps of bounded work, each inside a transaction of the caller's.

    Between steps records may be read and appended: those appended since the beginning are left for the next time.
    """
    policy, end = Policy.of(info), part.next
    rows = _rows(db, part.id)
    first = part.first
    for first, removed in _expire(db, part, policy, rows, now):
        db.execute("UPDATE part SET first = ? WHERE id = ?", (first, part.id))
        yield Result(first, part.clean, removed)
    fresh = sum(row.bytes for row in rows if row.last >= part.clean)
    if worth_compacting(policy, fresh, sum(row.bytes for row in rows)):
        for removed in _compact(db, part.id, first, policy, rows, now):
            yield Result(first, part.clean, removed)
        db.execute("UPDATE part SET clean = ? WHERE id = ?", (end, part.id))
        yield Result(first, end, 0)
    else:
        for run in _small_runs(rows):
            joined = [record for row in run for record in _records(db, row, first)]
            for row in run:
                db.execute(_DELETE, (row.id,))
            _write(db, part.id, joined)
            yield Result(first, part.clean, 0)


def _rows(db: sqlite3.Connection, part: int) -> list[_Row]:
    found = db.execute(
        "SELECT id, last, count, newest, bytes FROM chunk WHERE part = ? ORDER BY last", (part,)
    )
    return [_Row(*row) for row in found]


def _records(db: sqlite3.Connection, row: _Row, first: int) -> list[Record]:
    blob = db.execute("SELECT data FROM chunk WHERE id = ?", (row.id,)).fetchone()[0]
    return Chunk.decode(blob, row.last).records(first)


def _expire(
    db: sqlite3.Connection, part: Part, policy: Policy, rows: list[_Row], now: int
) -> Iterator[tuple[int, int]]:
    """Delete whole chunks that are gone by age or size (and from `rows`), a few a step; the first offset kept, and how
    many records went."""
    if not policy.delete or (policy.max_age is None and policy.max_bytes is None):
        return
    first, removed = part.first, 0
    rest = sum(row.bytes for row in rows)
    for number in range(1, len(rows) + 1):
        records = _records(db, rows[0], first)
        rest -= rows[0].bytes
        allowed = None if policy.max_bytes is None else policy.max_bytes - rest
        gone = _gone(records, policy, allowed, now)
        removed += gone
        if gone < len(records):
            first = records[gone].offset if gone or first != part.first else first
            break
        db.execute(_DELETE, (rows[0].id,))
        first = rows.pop(0).last + 1
        if number % STEP_CHUNKS == 0:
            yield first, removed
            removed = 0
    if first != part.first:
        yield first, removed


def _gone(records: list[Record], policy: Policy, allowed: int | None, now: int) -> int:
    """Expired records at the start of a chunk, when `allowed` bytes of it may stay (all, or fewer than
    none)."""
    if allowed is not None and allowed < 0:
        return len(records)
    return expired(records, Policy(max_age=policy.max_age, max_bytes=allowed), now)


def _compact(
    db: sqlite3.Connection, part: int, first: int, policy: Policy, rows: list[_Row], now: int
) -> Iterator[int]:
    """Keep the last record of each key, old tombstones excepted; how many records each step removed."""
    last: dict[bytes | None, int] = {}
    for number, row in enumerate(rows, 1):
        last |= {r.key: r.offset for r in _records(db, row, first)}
        if number % STEP_CHUNKS == 0:
            yield 0
    oldest_tombstone = now - policy.tombstone_age
    for start in range(0, len(rows), STEP_CHUNKS):
        buffer: list[Record] = []
        removed = 0
        for row in rows[start : start + STEP_CHUNKS]:
            records = _records(db, row, first)
            kept = [
                r
                for r in records
                if r.key is None
                or (last[r.key] == r.offset and (r.value is not None or r.timestamp >= oldest_tombstone))
            ]
            removed += len(records) - len(kept)
            buffer += kept
            db.execute(_DELETE, (row.id,))
            if len(buffer) >= _TARGET_RECORDS or sum(map(size, buffer)) >= _TARGET_BYTES:
                _write(db, part, buffer)
                buffer = []
        _write(db, part, buffer)
        yield removed


def _small_runs(rows: list[_Row]) -> Iterator[list[_Row]]:
    """Runs of small chunks, as single inserts leave them, that make one large one each."""
    run: list[_Row] = []
    records = taken = 0
    for row in rows:
        records, taken = records + row.records, taken + row.bytes
        if records > _TARGET_RECORDS or taken > _TARGET_BYTES:
            if len(run) > 1:
                yield run
            run, records, taken = [], row.records, row.bytes
        run.append(row)
    if len(run) > 1:
        yield run


def _write(db: sqlite3.Connection, part: int, records: list[Record]) -> None:
    if records:
        chunk = Chunk.of(records)
        newest = max(chunk.timestamps)
        db.execute(ADD_CHUNK, (part, chunk.offsets[-1], len(records), newest, chunk.size, chunk.encode()))
