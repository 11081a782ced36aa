"""Whatever the batches, every row gets its own answer."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from udf_server.batch import Batch
from udf_server.batching.isolate import run_isolated
from udf_server.batching.lane import Lane
from udf_server.function import RowError

VALUES = st.integers(-50, 50) | st.none()


@given(st.lists(st.integers(0, 30)), st.sets(st.integers(0, 30), max_size=6))
def test_only_rows_at_fault_fail(column: list[int], poison: set[int]) -> None:
    def body(values: list[int]) -> list[int]:
        if poison & set(values):
            raise ValueError("poison")
        return [v + 1 for v in values]

    answers = run_isolated(body, [column], len(column))
    hopeless = column and set(column) <= poison
    for value, answer in zip(column, answers, strict=True):
        if value in poison or hopeless:
            assert isinstance(answer, RowError)
        elif not isinstance(answer, RowError):
            assert answer == value + 1
        else:  # given up on: only after many rows failed in a row before any success
            assert sum(v in poison for v in column) >= 16


@given(st.lists(st.lists(VALUES, min_size=1, max_size=4), max_size=30))
def test_a_batch_holds_each_row_once(rows: list[list[Any]]) -> None:
    batch = Batch.of(rows)
    seen: dict[int, list[Any]] = {}
    for numbers, columns in batch.groups:
        for number, row in zip(numbers, zip(*columns, strict=True), strict=True):
            seen[number] = list(row)
    assert seen == dict(enumerate(rows))
    numbered = [[i, *row] for i, row in enumerate(rows)]
    assert Batch.numbered(numbered).count == len(rows)
    if len(rows) > 1:
        with pytest.raises(ValueError, match="must start with"):
            Batch.numbered([numbered[1], *numbered[1:]])


@given(
    st.lists(st.lists(st.integers(), min_size=1, max_size=20), max_size=12), st.integers(1, 9), st.booleans()
)
def test_callers_get_their_own_rows(calls: list[list[int]], limit: int, threaded: bool) -> None:
    async def act(pool: ThreadPoolExecutor | None) -> list[list[Any]]:
        lane = Lane(lambda c, n: [v * 2 for v in c[0]], batch_limit=limit, queue_limit=10_000, executor=pool)
        answers = await asyncio.gather(*(lane.submit([call], len(call), 1e9) for call in calls))
        await lane.drained()
        assert lane.queued == 0
        return answers

    if threaded:
        with ThreadPoolExecutor(2) as pool:
            answers = asyncio.run(act(pool))
    else:
        answers = asyncio.run(act(None))
    assert answers == [[v * 2 for v in call] for call in calls]
