"""The table of state entries in an SQLite file, and a scratch file of that table alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from ksqlkit.engine.log.protocol import Commit, KeyRange
from ksqlkit.engine.log.sqlite_schema import STATE_TABLES
from ksqlkit.errors import ServerError

_BATCH: Final = 4096  # entries read at once, at most
_GET: Final = "SELECT value FROM state WHERE store = ? AND key = ?"
_MANY: Final = 64  # keys looked for at once
_GET_MANY: Final = f"SELECT key, value FROM state WHERE store = ? AND key IN ({', '.join('?' * _MANY)})"
_SCAN: Final = "SELECT key, value FROM state WHERE store = ? AND key >= ? ORDER BY key LIMIT ?"
_SCAN_TO: Final = "SELECT key, value FROM state WHERE store = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?"
_PUT: Final = "INSERT OR REPLACE INTO state (store, key, value) VALUES (?, ?, ?)"
_DROP: Final = "DELETE FROM state WHERE store = ? AND key = ?"
_CLEAR: Final = "DELETE FROM state WHERE store = ? AND key >= ? AND key < ?"


class StateTable:
    """State entries by store and key. Writes belong into the caller's transaction; `numbers` are known after it."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.numbers: dict[str, int] = dict(db.execute("SELECT name, id FROM store"))

    def get(self, store: str, key: bytes) -> bytes | None:
        """An entry's value, or None."""
        found = self._db.execute(_GET, (self.numbers.get(store), key)).fetchone()
        return None if found is None else found[0]

    def get_many(self, store: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The values of those of the keys that there are entries of."""
        found: dict[bytes, bytes] = {}
        for at in range(0, len(keys), _MANY):
            some = list(keys[at : at + _MANY])
            some += some[:1] * (_MANY - len(some))  # so that there is one statement, compiled once
            found.update(self._db.execute(_GET_MANY, (self.numbers.get(store), *some)))
        return found

    def scan(
        self,
        store: str,
        low: bytes,
        high: bytes | None,
        batch: int,
        guard: Callable[[], AbstractContextManager[None]],
    ) -> Iterator[tuple[bytes, bytes]]:
        """Entries with low <= key < high, in key order; each batch is read under a `guard` of its own."""
        number = self.numbers.get(store)
        while number is not None:
            with guard():
                if high is None:
                    rows = self._db.execute(_SCAN, (number, low, batch)).fetchall()
                else:
                    rows = self._db.execute(_SCAN_TO, (number, low, high, batch)).fetchall()
            yield from rows
            if len(rows) < batch:
                return
            low = rows[-1][0] + b"\x00"
            batch = min(2 * batch, _BATCH)

    def write(
        self, changes: Mapping[str, Mapping[bytes, bytes | None]], cleared: Mapping[str, KeyRange]
    ) -> dict[str, int]:
        """Clear ranges, then put and delete entries; the numbers of stores that are new."""
        fresh: dict[str, int] = {}
        for name, (low, high) in cleared.items():
            if name in self.numbers:
                self._db.execute(_CLEAR, (self.numbers[name], low, high))
        for name, entries in changes.items():
            store = self.numbers.get(name)
            if store is None:
                cursor = self._db.execute("INSERT INTO store (name) VALUES (?)", (name,))
                store = fresh[name] = int(cursor.lastrowid or 0)
            if None in entries.values():
                self._db.executemany(_DROP, [(store, k) for k, v in entries.items() if v is None])
                self._db.executemany(_PUT, [(store, k, v) for k, v in entries.items() if v is not None])
            else:
                self._db.executemany(_PUT, [(store, k, v) for k, v in entries.items()])
        return fresh

    def drop(self, prefix: str) -> list[str]:
        """Delete all stores whose name starts so; their names."""
        gone = [name for name in self.numbers if name.startswith(prefix)]
        for name in gone:
            self._db.execute("DELETE FROM state WHERE store = ?", (self.numbers[name],))
            self._db.execute("DELETE FROM store WHERE id = ?", (self.numbers[name],))
        return gone


class Scratch:
    """State entries in a temporary file without a name, which goes away with this object or the process.

    For queries that keep nothing: SQLite writes the file only when its cache is full. For one thread at a time.
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for statement in ("PRAGMA journal_mode = OFF", "PRAGMA cache_size = -4096", *STATE_TABLES):
            self._db.execute(statement)
        self._table = StateTable(self._db)

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise ServerError(
                f"The state of a query could not be kept in a temporary file: {error}",
                hint="check free space for temporary files",
            ) from None

    def get_state(self, store: str, key: bytes) -> bytes | None:
        """An entry's value, or None."""
        with self._guard():
            return self._table.get(store, key)

    def get_states(self, store: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The values of those of the keys that there are entries of."""
        with self._guard():
            return self._table.get_many(store, keys)

    def scan_state(
        self, store: str, low: bytes = b"", high: bytes | None = None, batch: int = 64
    ) -> Iterator[tuple[bytes, bytes]]:
        """Entries with low <= key < high, in key order."""
        return self._table.scan(store, low, high, batch, self._guard)

    def commit(self, commit: Commit) -> None:
        """Take the commit's state; the rest of it does not concern a scratch file."""
        with self._guard():
            self._db.execute("BEGIN")
            self._table.numbers |= self._table.write(commit.state, commit.cleared)
            self._db.execute("COMMIT")

    def close(self) -> None:
        """Delete the file."""
        self._db.close()
