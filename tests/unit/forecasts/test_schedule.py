"""Cron times, leases and runs: once each, the latest only."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from forecasts.cron import parse_cron
from forecasts.store import LEASE, Lost, Store
from ksqlkit.errors import ProjectError


def at(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("line", "now", "last"),
    [
        ("0 * * * *", "2024-03-01T10:59", "2024-03-01T10:00"),
        ("*/15 * * * *", "2024-03-01T10:44", "2024-03-01T10:30"),
        ("30 6 * * 1-5", "2024-03-03T12:00", "2024-03-01T06:30"),  # a Sunday: Friday's
        ("0 0 29 2 *", "2023-06-01T00:00", "2020-02-29T00:00"),
        ("0 0 13 * 5", "2024-09-14T00:00", "2024-09-13T00:00"),
        ("0 0 15 * 7", "2024-09-10T00:00", "2024-09-08T00:00"),  # either day
        ("5 4 1,15 1 *", "2024-01-15T04:05", "2024-01-15T04:05"),
    ],
)
def test_the_latest_scheduled_time(line: str, now: str, last: str) -> None:
    assert parse_cron(line).last(at(now)) == at(last)


def test_a_time_that_never_comes_and_lines_that_are_wrong() -> None:
    assert parse_cron("0 0 30 2 *").last(at("2024-01-01T00:00")) is None
    for line in ("61 * * * *", "* * *", "a * * * *", "5-1 * * * *", "*/0 * * * *"):
        with pytest.raises(ProjectError, match="schedule"):
            parse_cron(line)


def test_one_of_two_schedulers_holds_a_job(tmp_path: Path) -> None:
    one, two = Store(tmp_path), Store(tmp_path)
    lease = one.acquire("f", "one", 1000)
    assert lease is not None
    assert two.acquire("f", "two", 2000) is None
    assert two.acquire("g", "two", 2000) is not None
    one.release(lease)
    later = two.acquire("f", "two", 3000)
    assert later is not None
    assert later.token > lease.token


def test_who_lost_a_lease_cannot_publish(tmp_path: Path) -> None:
    one, two = Store(tmp_path), Store(tmp_path)
    stale = one.acquire("f", "one", 0)
    assert stale is not None
    assert one.begin(stale, 500)
    fresh = two.acquire("f", "two", LEASE + 1)
    assert fresh is not None
    with pytest.raises(Lost):
        one.renew(stale, LEASE + 2)
    assert two.begin(fresh, 500)
    with pytest.raises(Lost):
        one.finish(stale, 500, LEASE + 3)
    two.finish(fresh, 500, LEASE + 3)
    assert two.last_run("f") == 500


def test_a_clock_that_jumps_back_does_not_lock_a_job_for_ever(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.acquire("f", "one", 10**12)
    assert store.acquire("f", "two", 1000) is not None


def test_a_scheduled_time_runs_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    lease = store.acquire("f", "one", 0)
    assert lease is not None
    assert store.begin(lease, 100)
    assert store.begin(lease, 100), "a run that was cut off is run again"
    store.finish(lease, 100, 150)
    assert not store.begin(lease, 100)
    assert not store.begin(lease, 50), "an earlier one is past"
    assert store.begin(lease, 200)
