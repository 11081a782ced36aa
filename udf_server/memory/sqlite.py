"""States in a SQLite file, shared by the server's processes: each transaction is alone with the file."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LIMIT: Final = 100_000  # keys a space
_WAIT: Final = 30.0  # seconds for another process to finish its transaction
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS state (
  space TEXT NOT NULL, key TEXT NOT NULL, used INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY (space, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_use ON state (space, used);
"""


class _Space:
    def __init__(self, connection: sqlite3.Connection, space: str) -> None:
        self._run = connection.execute
        self._space = space
        self._used: int = self._run(
            "SELECT COALESCE(MAX(used), 0) FROM state WHERE space = ?", (space,)
        ).fetchone()[0]

    def get(self, key: str) -> bytes | None:
        row = self._run("SELECT value FROM state WHERE space = ? AND key = ?", (self._space, key)).fetchone()
        return None if row is None else bytes(row[0])

    def put(self, key: str, state: bytes) -> None:
        self._used += 1
        self._run("INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?)", (self._space, key, self._used, state))

    def delete(self, key: str) -> None:
        self._run("DELETE FROM state WHERE space = ? AND key = ?", (self._space, key))

    def keys(self) -> Iterator[str]:
        found = self._run("SELECT key FROM state WHERE space = ? ORDER BY used", (self._space,)).fetchall()
        return iter([key for (key,) in found])

    def forget_past(self, limit: int) -> None:
        """Keep the `limit` most recently used keys."""
        count = self._run("SELECT COUNT(*) FROM state WHERE space = ?", (self._space,)).fetchone()[0]
        if count > limit:
            self._run(
                "DELETE FROM state WHERE space = ? AND key IN "
                "(SELECT key FROM state WHERE space = ? ORDER BY used LIMIT ?)",
                (self._space, self._space, count - limit),
            )


class SqliteMemory:
    """A `Memory` in a file that is made when first used; `limit` keys a space.

    Written ahead and synced at checkpoints: what was answered survives the death of the process, and the last
    moments before a power cut may be learned again when the rows are sent again.
    """

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self._path = path
        self._limit = limit
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._puts = 0

    @contextmanager
    def transaction(self, space: str) -> Iterator[_Space]:
        """The states of a space, alone with the file until the block ends; rolled back if it raises."""
        with self._lock:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                found = _Space(connection, space)
                yield found
                self._puts += 1
                if self._puts % 64 == 1:  # counting costs a walk over the index
                    found.forget_past(self._limit)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            opened = sqlite3.connect(self._path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
            until = time.monotonic() + _WAIT
            while True:
                try:
                    opened.execute("PRAGMA journal_mode = WAL")
                    opened.execute("PRAGMA synchronous = NORMAL")
                    opened.executescript(_SCHEMA)
                    break
                except sqlite3.OperationalError:
                    # Two processes that make the file at once: SQLite tells one so at once, whatever its timeout.
                    if time.monotonic() > until:
                        opened.close()
                        raise
                    time.sleep(0.01)
            self._connection = opened
        return self._connection
