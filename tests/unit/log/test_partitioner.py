"""Kafka's partitioner; hashes from Kafka's own tests of murmur2."""

from __future__ import annotations

import pytest

from ksqlkit.engine.log.partitioner import murmur2, partition_for

HASHES = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "expected"), HASHES.items())
def test_murmur2(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected & 0xFFFFFFFF
    assert partition_for(key, 7) == (expected & 0x7FFFFFFF) % 7


def test_no_key_and_one_partition() -> None:
    assert partition_for(None, 5) == 0
    assert partition_for(b"abc", 1) == 0
