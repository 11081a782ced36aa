"""What is kept between refreshes: leases and finished runs in SQLite, fits as files beside it.

One folder, which several schedulers may share. A lease is held for a time and carries a fencing token that grows with
every change of holder; a run is claimed once by its job and scheduled time.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from forecasts import codec
from forecasts.spec import Spec
from ksqlkit.errors import ServerError
from ksqlkit.files import write_whole

if TYPE_CHECKING:
    from forecasts.fitting import Fit

LEASE = 2 * 60_000  # milliseconds; renewed while the holder lives
_SCHEMA = """
CREATE TABLE IF NOT EXISTS lease (
  job TEXT PRIMARY KEY, holder TEXT NOT NULL, token INTEGER NOT NULL, until INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS run (
  job TEXT, scheduled INTEGER, token INTEGER NOT NULL, state TEXT NOT NULL, finished INTEGER,
  PRIMARY KEY (job, scheduled));
CREATE TABLE IF NOT EXISTS stretch (job TEXT, level INTEGER, value REAL NOT NULL, PRIMARY KEY (job, level));
"""


class Lost(ServerError):
    """The lease went to another scheduler; nothing may be published any more."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to refresh a job. A higher token means a later holder."""

    job: str
    holder: str
    token: int


class Store:
    """A folder of state. Times are milliseconds and come from the caller."""

    def __init__(self, folder: Path, *, lease: int = LEASE) -> None:
        self.lease = lease
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "forecasts.db"
        self._db = sqlite3.connect(path, timeout=30.0, isolation_level=None)
        try:
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError as exc:
            self._db.close()
            raise ServerError(
                f"{path} cannot be used: {exc}", hint="Remove it; what is kept is made anew."
            ) from None

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @contextmanager
    def held(self, lease: Lease, clock: Callable[[], int]) -> Iterator[None]:
        """Renew a lease from a thread of its own while the block runs, however long a step of it takes."""
        stop = threading.Event()

        def beat() -> None:
            mine = Store(self._folder, lease=self.lease)
            try:
                while not stop.wait(self.lease / 4_000):
                    with suppress(sqlite3.Error):
                        mine.renew(lease, clock())
            except Lost:
                return
            finally:
                mine.close()

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def acquire(self, job: str, holder: str, now: int) -> Lease | None:
        """The job's lease if it is free, has run out or is the holder's own; a clock that jumped back frees it too.
        Clocks of several machines may differ by a lease's length."""
        with self._write():
            row = self._db.execute("SELECT holder, token, until FROM lease WHERE job = ?", (job,)).fetchone()
            if row and row[0] != holder and now <= row[2] <= now + 2 * self.lease:
                return None
            token = row[1] + (row[0] != holder) if row else 1
            self._db.execute(
                "INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?)", (job, holder, token, now + self.lease)
            )
        return Lease(job, holder, token)

    def renew(self, lease: Lease, now: int) -> None:
        """Hold on to a lease. Raises Lost where another holder has it."""
        with self._write():
            changed = self._db.execute(
                "UPDATE lease SET until = ? WHERE job = ? AND token = ?",
                (now + self.lease, lease.job, lease.token),
            )
            if changed.rowcount == 0:
                raise Lost(f"Another scheduler refreshes {lease.job} now; this one stopped before publishing")

    def release(self, lease: Lease) -> None:
        """Let a lease go; its token stays used."""
        with self._write():
            self._db.execute(
                "UPDATE lease SET until = 0 WHERE job = ? AND token = ?", (lease.job, lease.token)
            )

    def begin(self, lease: Lease, scheduled: int) -> bool:
        """Claim a job's run of a scheduled time; False where it is done, or a later one is."""
        with self._write():
            done = self._db.execute(
                "SELECT 1 FROM run WHERE job = ? AND scheduled >= ? AND state = 'done'",
                (lease.job, scheduled),
            ).fetchone()
            if done:
                return False
            self._db.execute(
                "INSERT OR REPLACE INTO run VALUES (?, ?, ?, 'running', NULL)",
                (lease.job, scheduled, lease.token),
            )
        return True

    def finish(self, lease: Lease, scheduled: int, now: int) -> None:
        """Note that a run is done. Raises Lost where another holder claimed it."""
        with self._write():
            changed = self._db.execute(
                "UPDATE run SET state = 'done', finished = ? WHERE job = ? AND scheduled = ? AND token = ?",
                (now, lease.job, scheduled, lease.token),
            )
            if changed.rowcount == 0:
                raise Lost(f"Another scheduler ran {lease.job} meanwhile")

    def last_run(self, job: str) -> int | None:
        """Scheduled time of the latest finished run."""
        found = self._db.execute(
            "SELECT MAX(scheduled) FROM run WHERE job = ? AND state = 'done'", (job,)
        ).fetchone()[0]
        return None if found is None else int(found)

    def load_stretch(self, job: str) -> dict[int, float]:
        """How far a job's bands are stretched by level (see `intervals.track`)."""
        return dict(self._db.execute("SELECT level, value FROM stretch WHERE job = ?", (job,)))

    def save_stretch(self, job: str, stretch: dict[int, float]) -> None:
        """Keep that."""
        with self._write():
            self._db.executemany(
                "INSERT OR REPLACE INTO stretch VALUES (?, ?, ?)", [(job, k, v) for k, v in stretch.items()]
            )

    def save_fits(self, spec: Spec, fits: list[Fit]) -> None:
        """Keep fits until the spec changes. The file takes the old one's place in one step."""
        write_whole(self._fits(spec), codec.dumps((fingerprint(spec), fits)))

    def load_fits(self, spec: Spec) -> list[Fit]:
        """Kept fits; none where there are none of this very spec that can be read."""
        try:
            made_for, fits = codec.loads(self._fits(spec).read_bytes())
        except (OSError, codec.Unreadable):
            return []
        return list(fits) if made_for == fingerprint(spec) else []

    def _fits(self, spec: Spec) -> Path:
        return self._folder / f"{spec.name}.fit"

    @contextmanager
    def _write(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def fingerprint(spec: Spec) -> str:
    """What of a spec a fit depends on."""
    kept = {k: v for k, v in asdict(spec).items() if k not in ("schedule", "refit", "drift", "target")}
    return hashlib.sha256(repr(sorted(kept.items())).encode()).hexdigest()
