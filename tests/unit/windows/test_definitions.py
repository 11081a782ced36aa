"""Window clauses and Kafka Streams' defaults."""

from __future__ import annotations

import pytest

from ksqlkit.dialect import nodes as N
from ksqlkit.engine.windows.definitions import DAY, SessionWindows, TimeWindows, join_grace, window_of


def millis(value: int) -> N.Duration:
    return N.Duration(value=value, unit="MILLISECONDS")


def test_tumbling_defaults() -> None:
    assert window_of(N.TumblingWindow(size=millis(10))) == TimeWindows(10, 10, DAY - 10, DAY)


def test_hopping_with_grace_and_retention() -> None:
    clause = N.HoppingWindow(size=millis(10), advance=millis(3), grace=millis(5), retention=millis(99))
    assert window_of(clause) == TimeWindows(10, 3, 5, 99)


def test_sessions() -> None:
    assert window_of(N.SessionWindow(gap=millis(10), grace=millis(5))) == SessionWindows(10, 5, 15)
    assert window_of(N.SessionWindow(gap=millis(10))) == SessionWindows(10, DAY - 10, DAY)


@pytest.mark.parametrize(
    ("size", "advance", "timestamp", "starts"),
    [(10, 10, 0, [0]), (10, 10, 19, [10]), (10, 5, 12, [5, 10]), (10, 5, 3, [0]), (10, 3, 10, [3, 6, 9])],
)
def test_starts(size: int, advance: int, timestamp: int, starts: list[int]) -> None:
    found = TimeWindows(size, advance, 0, size).starts(timestamp)
    assert list(found) == starts
    assert all(s <= timestamp < s + size for s in found)


def test_join_grace() -> None:
    assert join_grace(1000, 7) == 7
    assert join_grace(1000, None) == DAY - 2000
    assert join_grace(DAY, None) == 0
