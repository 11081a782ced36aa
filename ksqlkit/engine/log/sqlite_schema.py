"""The durable log's SQLite file: its tables, its settings, and how it is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final, Literal

from ksqlkit.errors import ServerError

Synchronous = Literal["NORMAL", "FULL"]
VERSION: Final = 2  # 1 had other keys in the state of windows and stream joins: see engine.state.spilling
ADD_CHUNK: Final = "INSERT INTO chunk (part, last, count, newest, bytes, data) VALUES (?, ?, ?, ?, ?, ?)"
_APPLICATION: Final = 0x6B73716C  # "ksql"
_BUSY_SECONDS: Final = 1.0

_TABLES: Final = """
CREATE TABLE topic (name TEXT PRIMARY KEY, partitions INTEGER, replicas INTEGER, config TEXT) WITHOUT ROWID;
CREATE TABLE part (
  id INTEGER PRIMARY KEY, topic TEXT, partition INTEGER,
  first INTEGER, next INTEGER, clean INTEGER,      -- first offset kept, next offset, compacted up to
  UNIQUE (topic, partition)
);
CREATE TABLE chunk (
  id INTEGER PRIMARY KEY, part INTEGER, last INTEGER, count INTEGER, newest INTEGER, bytes INTEGER, data BLOB
);
CREATE UNIQUE INDEX chunk_by_offset ON chunk (part, last);
CREATE TABLE position (
  consumer TEXT, topic TEXT, partition INTEGER, offset INTEGER, PRIMARY KEY (consumer, topic, partition)
) WITHOUT ROWID;
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
"""
STATE_TABLES: Final = (
    "CREATE TABLE store (id INTEGER PRIMARY KEY, name TEXT UNIQUE)",
    "CREATE TABLE state (store INTEGER, key BLOB, value BLOB, PRIMARY KEY (store, key)) WITHOUT ROWID",
)


def open_database(path: Path, synchronous: Synchronous) -> sqlite3.Connection:
    """The file, locked for this process alone, made when it is not there. Raises ServerError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise ServerError(
            f"Cannot open the log {path}: {error}", hint="check the path and its rights"
        ) from None
    try:
        db.execute("PRAGMA page_size = 8192")
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        # Exclusive mode keeps a second process out and needs no shared-memory file.
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {synchronous}")
        db.execute("PRAGMA wal_autocheckpoint = 4000")
        db.execute("PRAGMA journal_size_limit = 67108864")
        db.execute("PRAGMA cache_size = -16384")
        db.execute("BEGIN IMMEDIATE")
        _prepare(db, path)
        db.execute("COMMIT")
    except sqlite3.OperationalError as error:
        db.close()
        if "locked" in str(error):
            raise ServerError(
                f"The log {path} is in use by another process.", hint="stop that process, or use another path"
            ) from None
        raise ServerError(f"Cannot open the log {path}: {error}") from None
    except sqlite3.DatabaseError as error:
        db.close()
        raise ServerError(
            f"{path} is not a log of this program, or is damaged: {error}",
            hint="use another path, or restore it",
        ) from None
    except ServerError:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    """Make the tables in an empty file, or check that the file is ours and of a version we know."""
    application = db.execute("PRAGMA application_id").fetchone()[0]
    version = db.execute("PRAGMA user_version").fetchone()[0]
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables == 0:
        for statement in (*_TABLES.split(";\n"), *STATE_TABLES):
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {_APPLICATION}")
        db.execute(f"PRAGMA user_version = {VERSION}")
    elif application != _APPLICATION:
        raise ServerError(f"{path} is an SQLite file of another program.", hint="use another path")
    elif version == 1:
        # The tables are the same, and each store turns its own entries when it is taken up.
        db.execute(f"PRAGMA user_version = {VERSION}")
    elif version != VERSION:
        raise ServerError(
            f"The log {path} has format version {version}; this program reads version {VERSION}.",
            hint="use the release that wrote it, or another path",
        )
