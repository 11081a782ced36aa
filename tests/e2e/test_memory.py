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


def test_flat_and_under_150_mb() -> None:
    few, many = peak(120_000), peak(360_000)  # the cache of the newest records is full by the first
    assert many < 150
    assert many < few + 15, "memory grows with the rows"
