"""The durable log: one SQLite file in WAL mode, one transaction a commit.

What is lost when: a killed process (kill -9) loses nothing that `commit` returned for, and a commit under
way is not there at all. When the machine loses power, `synchronous="NORMAL"` (the default) may lose the
newest commits, always whole and newest first; the file stays sound. `synchronous="FULL"` waits for the disk
at every commit and loses none, at the price of one disk flush each.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ksqlkit.engine.log.chunk import Chunk
from ksqlkit.engine.log.memory import check_same_partitions, unknown_partition
from ksqlkit.engine.log.protocol import Commit, Output, Record, TopicInfo
from ksqlkit.engine.log.sqlite_clean import Part, clean
from ksqlkit.engine.log.sqlite_schema import ADD_CHUNK, Synchronous, open_database
from ksqlkit.engine.log.sqlite_state import StateTable
from ksqlkit.errors import ServerError

_CHUNK_RECORDS: Final = 5000
_CACHED_CHUNKS: Final = 64
_CACHED_BYTES: Final = 16_000_000
_FREED_PAGES: Final = 2000

_FIND_CHUNK: Final = "SELECT last, data FROM chunk WHERE part = ? AND last >= ? ORDER BY last LIMIT 1"
_PUT_POSITION: Final = (
    "INSERT OR REPLACE INTO position (consumer, topic, partition, offset) VALUES (?, ?, ?, ?)"
)


class SqliteLog:
    """A log in a file. Memory stays bounded: only topic settings and the newest chunks are kept.

    Every method may be called from any thread. Errors of the disk are ServerError; what was being done is
    undone.
    """

    def __init__(self, path: str | Path, *, synchronous: Synchronous = "NORMAL") -> None:
        self.path = Path(path)
        self._lock = threading.RLock()
        self._db = open_database(self.path, synchronous)
        self._recent: OrderedDict[tuple[int, int], tuple[Chunk, int]] = OrderedDict()
        self._recent_bytes = 0
        self._topics: dict[str, TopicInfo] = {}
        self._parts: dict[tuple[str, int], Part] = {}
        self._load()

    def _load(self) -> None:
        """Read topic settings, partitions and store names."""
        with self._guard("open"):
            topics = self._db.execute("SELECT name, partitions, replicas, config FROM topic ORDER BY name")
            self._topics = {
                name: TopicInfo(name, partitions, replicas, tuple((k, v) for k, v in json.loads(config)))
                for name, partitions, replicas, config in topics
            }
            parts = self._db.execute("SELECT topic, partition, id, first, next, clean FROM part")
            self._parts = {(topic, number): Part(*rest) for topic, number, *rest in parts}
            self._state = StateTable(self._db)

    @contextmanager
    def _guard(self, action: str) -> Iterator[None]:
        """The lock, and SQLite's errors as ServerError."""
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise ServerError(
                    f"The log {self.path} failed to {action}: {error}. Nothing of it was kept.",
                    hint="check free disk space and the file's rights",
                ) from None

    @contextmanager
    def _transaction(self, action: str) -> Iterator[sqlite3.Connection]:
        """All or nothing, also for interrupts."""
        with self._guard(action):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def topics(self) -> dict[str, TopicInfo]:
        """All topics by name."""
        return dict(self._topics)

    def create_topic(self, info: TopicInfo) -> None:
        """Create a topic; one that exists with the same partitions is left alone. Raises ServerError."""
        with self._lock:
            existing = self._topics.get(info.name)
            if existing is not None:
                check_same_partitions(existing, info)
                return
            row = (info.name, info.partitions, info.replicas, json.dumps(info.config))
            parts = {}
            with self._transaction("create a topic") as db:
                db.execute("INSERT INTO topic (name, partitions, replicas, config) VALUES (?, ?, ?, ?)", row)
                for number in range(info.partitions):
                    cursor = db.execute(
                        "INSERT INTO part (topic, partition, first, next, clean) VALUES (?, ?, 0, 0, 0)",
                        (info.name, number),
                    )
                    parts[info.name, number] = Part(int(cursor.lastrowid or 0), 0, 0, 0)
            self._topics[info.name] = info
            self._parts |= parts

    def delete_topic(self, name: str) -> None:
        """Delete a topic, its records and all positions in it."""
        with self._lock:
            if name not in self._topics:
                return
            with self._transaction("delete a topic") as db:
                db.execute("DELETE FROM chunk WHERE part IN (SELECT id FROM part WHERE topic = ?)", (name,))
                for table, column in (("part", "topic"), ("position", "topic"), ("topic", "name")):
                    db.execute(f"DELETE FROM {table} WHERE {column} = ?", (name,))
            del self._topics[name]
            self._parts = {key: part for key, part in self._parts.items() if key[0] != name}
            self._forget_chunks()

    def _part(self, topic: str, partition: int) -> Part:
        found = self._parts.get((topic, partition))
        if found is None:
            raise unknown_partition(topic, partition)
        return found

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        """Up to `limit` records from `offset` on (or from the first one kept), in offset order."""
        with self._guard("read"):
            part = self._part(topic, partition)
            offset = max(offset, part.first)
            found: list[Record] = []
            while offset < part.next and len(found) < limit:
                chunk = self._chunk(part, offset)
                if chunk is None:
                    break
                taken = chunk.records(offset, limit - len(found))
                last = chunk.offsets[-1]
                offset = taken[-1].offset + 1 if taken else last + 1
                if offset <= last:
                    self._keep(part.id, offset, chunk)
                found = found + taken if found else taken
            return found

    def _chunk(self, part: Part, offset: int) -> Chunk | None:
        """The chunk that holds the offset, or the next one."""
        cached = self._recent.get((part.id, offset))
        if cached is not None:
            return cached[0]
        row = self._db.execute(_FIND_CHUNK, (part.id, offset)).fetchone()
        if row is None:
            return None
        try:
            return Chunk.decode(row[1], row[0])
        except ValueError as error:
            raise ServerError(f"The log {self.path} is damaged at offset {offset}: {error}") from None

    def _keep(self, part: int, offset: int, chunk: Chunk) -> None:
        """Remember a chunk for the reader that will ask for this offset next."""
        recent = self._recent
        if (part, offset) in recent:
            return
        size = chunk.size
        recent[part, offset] = (chunk, size)
        self._recent_bytes += size
        while len(recent) > _CACHED_CHUNKS or self._recent_bytes > _CACHED_BYTES:
            self._recent_bytes -= recent.popitem(last=False)[1][1]

    def _forget_chunks(self) -> None:
        self._recent.clear()
        self._recent_bytes = 0

    def end_offset(self, topic: str, partition: int) -> int:
        """The offset the next record will get."""
        return self._part(topic, partition).next

    def begin_offset(self, topic: str, partition: int) -> int:
        """The offset of the first record kept."""
        return self._part(topic, partition).first

    def commit(self, commit: Commit) -> None:
        """Apply all or nothing. Raises ServerError."""
        groups: dict[tuple[str, int], list[Output]] = {}
        for output in commit.outputs:
            key = (output[0], output[1])
            if key in groups:
                groups[key].append(output)
            else:
                groups[key] = [output]
        with self._lock:
            added = [(self._part(*key), outputs) for key, outputs in groups.items()]
            written: list[tuple[Part, int, Chunk]] = []
            with self._transaction("commit") as db:
                for part, outputs in added:
                    offset = part.next
                    for chunk in _pack(outputs, offset):
                        last = chunk.offsets[-1]
                        row = (
                            part.id,
                            last,
                            len(chunk.offsets),
                            max(chunk.timestamps),
                            chunk.size,
                            chunk.encode(),
                        )
                        db.execute(ADD_CHUNK, row)
                        written.append((part, chunk.offsets[0], chunk))
                        offset = last + 1
                    db.execute("UPDATE part SET next = ? WHERE id = ?", (offset, part.id))
                if commit.offsets:
                    db.executemany(_PUT_POSITION, [(*key, value) for key, value in commit.offsets.items()])
                stores = self._state.write(commit.state, commit.cleared)
                for entry, value in commit.meta.items():
                    if value is None:
                        db.execute("DELETE FROM meta WHERE name = ?", (entry,))
                    else:
                        db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (entry, value))
            self._state.numbers |= stores
            for part, first, chunk in written:
                part.next = chunk.offsets[-1] + 1
                self._keep(part.id, first, chunk)

    def positions(self, consumer: str) -> dict[tuple[str, int], int]:
        """Committed (topic, partition) -> next offset of a consumer."""
        with self._guard("read"):
            rows = self._db.execute(
                "SELECT topic, partition, offset FROM position WHERE consumer = ?", (consumer,)
            )
            return {(topic, partition): offset for topic, partition, offset in rows}

    def load_state(self, store: str) -> Iterable[tuple[bytes, bytes]]:
        """All live entries of a store, in key order; read a few thousand at a time."""
        return self.scan_state(store)

    def get_state(self, store: str, key: bytes) -> bytes | None:
        """The value of a store's entry, or None."""
        with self._guard("read"):
            return self._state.get(store, key)

    def get_states(self, store: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The values of those of the keys that a store has entries of."""
        with self._guard("read"):
            return self._state.get_many(store, keys)

    def scan_state(
        self, store: str, low: bytes = b"", high: bytes | None = None, batch: int = 64
    ) -> Iterator[tuple[bytes, bytes]]:
        """A store's entries with low <= key < high, in key order; read some at a time,
        `batch` of them at first."""
        return self._state.scan(store, low, high, batch, lambda: self._guard("read"))

    def drop_consumer(self, consumer: str) -> None:
        """Forget a consumer's positions, and every store whose name starts with `consumer` + '/'."""
        with self._lock:
            with self._transaction("forget a consumer") as db:
                db.execute("DELETE FROM position WHERE consumer = ?", (consumer,))
                gone = self._state.drop(consumer + "/")
            for store in gone:
                del self._state.numbers[store]

    def load_meta(self) -> dict[str, bytes]:
        """All metadata."""
        with self._guard("read"):
            return dict(self._db.execute("SELECT name, value FROM meta ORDER BY name"))

    def maintain(self, now: int) -> int:
        """Delete what the topics' retention and compaction let go at `now` (milliseconds), join small chunks; how many
        records were removed."""
        return sum(self.maintenance(now))

    def maintenance(self, now: int) -> Iterator[int]:
        """The same in steps, each of bounded work and a transaction of its own; yields the records each removed."""
        for place, part in list(self._parts.items()):
            info = self._topics.get(place[0])
            if info is None:
                continue
            steps = clean(self._db, part, info, now)
            while self._parts.get(place) is part:  # unless the topic was deleted meanwhile
                with self._lock:
                    with self._transaction("clean up"):
                        result = next(steps, None)
                    if result is None:
                        break
                    part.first, part.clean = result.first, result.clean
                    self._forget_chunks()
                yield result.removed
        for _ in range(self._free_pages() // _FREED_PAGES + 1):
            with self._guard("clean up"):
                # execute() would step once and free a single page.
                self._db.executescript(f"PRAGMA incremental_vacuum({_FREED_PAGES})")
            yield 0

    def _free_pages(self) -> int:
        with self._guard("clean up"):
            return int(self._db.execute("PRAGMA freelist_count").fetchone()[0])

    def close(self) -> None:
        """Release the file; nothing committed is lost. Closing twice does nothing."""
        with self._lock:
            self._db.close()


def _pack(outputs: Sequence[Output], offset: int) -> Iterator[Chunk]:
    """Chunks of the records of one partition, the first at `offset`."""
    for start in range(0, len(outputs), _CHUNK_RECORDS):
        part = outputs[start : start + _CHUNK_RECORDS]
        _, _, timestamps, keys, values, headers = zip(*part, strict=True)
        yield Chunk(range(offset, offset + len(part)), timestamps, keys, values, headers)
        offset += len(part)
