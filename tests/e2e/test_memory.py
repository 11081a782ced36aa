"""Memory of an engine with two queries over 1,000 keys: small, and no larger for more rows."""

from __future__ import annotations

import sys

import pytest

from benchmarks.memory import peak

pytestmark = [
    pytest.mark.slow,
    pytest.mark.e2e,
    pytest.mark.checkout,
    pytest.mark.skipif(sys.platform != "linux", reason="the largest size of a process is read from /proc"),
]


@pytest.mark.parametrize(
    ("kept", "rows"), [("windows", 120_000), ("sessions", 120_000), ("left join", 200_000)]
)
def test_flat_and_under_150_mb(kept: str, rows: int) -> None:
    """What is kept is a day of event time, so that nothing of it goes; the caches are full by the first run."""
    few, many = peak(rows, kept), peak(3 * rows, kept)
    assert many < 150
    assert many < few + 15, "memory grows with the rows"
