"""What only the durable log does: files, locks, full disks, bounded memory."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ksqlkit.engine.log import Commit, Output, SqliteLog, TopicInfo, sqlite_clean
from ksqlkit.engine.log import sqlite as module
from ksqlkit.errors import ServerError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "log.db"


def some(count: int, size: int = 10) -> list[Output]:
    return [Output("t", 0, i, b"k", bytes(size)) for i in range(count)]


@pytest.mark.parametrize("synchronous", ["NORMAL", "FULL"])
def test_everything_is_there_after_reopening(path: Path, synchronous: module.Synchronous) -> None:
    log = SqliteLog(path, synchronous=synchronous)
    info = TopicInfo("t", 2, 1, (("retention.ms", "100"),))
    log.create_topic(info)
    log.commit(Commit(some(3), {("q", "t", 0): 2}, {"q/s": {b"k": b"v"}}, {"m": b"x"}))
    log.maintain(101)
    log.close()
    log.close()
    log = SqliteLog(path)
    assert log.topics() == {"t": info}
    assert (log.begin_offset("t", 0), log.end_offset("t", 0), log.end_offset("t", 1)) == (1, 3, 0)
    assert [r.offset for r in log.read("t", 0, 0, 9)] == [1, 2]
    assert log.positions("q") == {("t", 0): 2}
    assert list(log.load_state("q/s")) == [(b"k", b"v")]
    assert log.load_meta() == {"m": b"x"}
    log.commit(Commit(some(1), state={"q/s": {b"k": b"w"}}))
    assert [r.offset for r in log.read("t", 0, 0, 9)] == [1, 2, 3]
    assert list(log.load_state("q/s")) == [(b"k", b"w")]
    log.close()


def test_one_process_at_a_time(path: Path) -> None:
    log = SqliteLog(path)
    code = f"from ksqlkit.engine.log import SqliteLog; SqliteLog({str(path)!r})"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "in use by another process" in other.stderr
    log.close()
    SqliteLog(path).close()


def test_files_that_are_not_logs(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello, this is no database " * 100)
    with pytest.raises(ServerError, match="is not a log of this program"):
        SqliteLog(tmp_path / "text")
    db = sqlite3.connect(tmp_path / "other.db")
    db.execute("CREATE TABLE mine (x)")
    db.close()
    with pytest.raises(ServerError, match="of another program"):
        SqliteLog(tmp_path / "other.db")
    with pytest.raises(ServerError, match="Cannot open the log"):
        SqliteLog(tmp_path)


def test_a_version_from_the_future(path: Path) -> None:
    SqliteLog(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ServerError, match=r"format version 99; this program reads version 2"):
        SqliteLog(path)


def test_a_full_disk_undoes_the_commit(path: Path) -> None:
    log = SqliteLog(path)
    log.create_topic(TopicInfo("t", 1))
    log.commit(Commit(some(10)))
    pages = log._db.execute("PRAGMA page_count").fetchone()[0]
    log._db.execute(f"PRAGMA max_page_count = {pages + 5}")
    big = Commit(some(1000, 1000), {("q", "t", 0): 9}, {"s": {b"k": b"v"}}, {"m": b"x"})
    with pytest.raises(ServerError, match="failed to commit: database or disk is full"):
        log.commit(big)
    assert log.end_offset("t", 0) == 10
    assert (log.positions("q"), list(log.load_state("s")), log.load_meta()) == ({}, [], {})
    assert len(log.read("t", 0, 0, 99)) == 10
    log._db.execute("PRAGMA max_page_count = 1000000")
    log.commit(big)
    assert log.end_offset("t", 0) == 1010
    assert list(log.load_state("s")) == [(b"k", b"v")]
    log.close()


def test_damage_is_an_error(path: Path) -> None:
    log = SqliteLog(path)
    log.create_topic(TopicInfo("t", 1))
    log.commit(Commit(some(3)))
    log.close()
    db = sqlite3.connect(path)
    db.execute("UPDATE chunk SET data = x'0900'")
    db.commit()
    db.close()
    log = SqliteLog(path)
    with pytest.raises(ServerError, match="is damaged at offset 0"):
        log.read("t", 0, 0, 9)
    log.close()


def test_memory_stays_bounded(path: Path) -> None:
    log = SqliteLog(path)
    log.create_topic(TopicInfo("t", 1))
    for i in range(100):
        log.commit(Commit(some(100, 4000)))
        assert len(log.read("t", 0, i * 100, 30)) == 30
        assert log._recent_bytes <= module._CACHED_BYTES
        assert len(log._recent) <= module._CACHED_CHUNKS
    assert log._recent_bytes == sum(size for _, size in log._recent.values())
    log.close()


def test_a_follower_does_not_decode_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = SqliteLog(path)
    log.create_topic(TopicInfo("t", 1))

    def refuse(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(module.Chunk, "decode", refuse)
    for i in range(5):
        log.commit(Commit(some(10)))
        assert len(log.read("t", 0, i * 10, 7)) == 7
        assert len(log.read("t", 0, i * 10 + 7, 7)) == 3
    log.close()


def test_deleted_records_give_their_space_back(path: Path) -> None:
    log = SqliteLog(path)
    log.create_topic(TopicInfo("t", 1, 1, (("retention.ms", "1"),)))
    log.commit(Commit(some(5000, 1000)))
    log.maintain(10**9)
    log.close()
    assert path.stat().st_size < 1_000_000


@pytest.mark.parametrize("policy", ["delete", "compact", "join"])
def test_maintenance_goes_in_steps_and_takes_appends_in_between(
    path: Path, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    monkeypatch.setattr(sqlite_clean, "STEP_CHUNKS", 3)
    monkeypatch.setattr(sqlite_clean, "_TARGET_RECORDS", 4)
    settings = {"delete": ("retention.ms", "100"), "join": ("retention.ms", "-1")}
    config = (
        settings.get(policy, ("segment.bytes", "1")),
        ("cleanup.policy", policy.replace("join", "delete")),
    )
    log = SqliteLog(path)
    log.create_topic(TopicInfo("t", 1, 1, config))
    log.create_topic(TopicInfo("gone", 1, 1, config))
    for number in range(20):
        record = Output("t", 0, 1000 + number, b"k%d" % (number % 2), b"%d" % number)
        log.commit(Commit(outputs=[record, record._replace(topic="gone")]))
    taken = []
    for step, removed in enumerate(log.maintenance(1115)):
        log.commit(Commit(outputs=[Output("t", 0, 2000, b"new", b"%d" % step)]))
        taken.append(removed)
        assert [r.offset for r in log.read("t", 0, 0, 1000)][-1] == 20 + step
        if step == 2:
            log.delete_topic("gone")
    assert len(taken) > 4
    assert sum(taken) >= {"delete": 15, "compact": 18, "join": 0}[policy]
    left = [r.value for r in log.read("t", 0, 0, 20) if r.offset < 20]
    assert left == [b"%d" % i for i in range({"delete": 15, "compact": 18, "join": 0}[policy], 20)]
    assert "gone" not in log.topics()
    log.close()
