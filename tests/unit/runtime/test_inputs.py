"""Reading partitions in the order of their head timestamps."""

from __future__ import annotations

from ksqlkit.engine.log.memory import MemoryLog
from ksqlkit.engine.log.protocol import Commit, Output, TopicInfo
from ksqlkit.engine.runtime.inputs import PartitionInput, merged, record_time


def inputs(*times: list[int]) -> list[PartitionInput]:
    log = MemoryLog()
    for number, moments in enumerate(times):
        log.create_topic(TopicInfo(f"t{number}", 1))
        log.commit(Commit(outputs=[Output(f"t{number}", 0, t, None, None) for t in moments]))
    return [PartitionInput(log, f"t{n}", 0, 0, record_time) for n in range(len(times))]


def order(sources: list[PartitionInput], limit: int) -> list[tuple[int, int]]:
    return [(i, r.timestamp) for i, run in merged(sources, limit) for r in run]


def test_smallest_head_first_and_runs_stay_together() -> None:
    assert order(inputs([1, 2, 9, 3], [2, 4, 10]), 100) == [
        (0, 1), (0, 2), (1, 2), (1, 4), (0, 9), (0, 3), (1, 10),
    ]  # fmt: skip


def test_limit_counts_records_and_nothing_is_lost() -> None:
    sources = inputs(list(range(0, 40, 2)), list(range(1, 41, 2)))
    found = []
    while part := order(sources, 7):
        assert len(part) <= 7
        found += part
    assert [t for _, t in found] == list(range(40))


def test_position_is_the_next_offset() -> None:
    (source,) = inputs([5, 6, 7])
    assert order([source], 2) == [(0, 5), (0, 6)]
    assert source.position == 2
