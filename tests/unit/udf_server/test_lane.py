from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from udf_server.batching.isolate import run_isolated
from udf_server.batching.lane import Lane
from udf_server.batching.latency import LatencyModel
from udf_server.errors import Overloaded
from udf_server.function import RowError

FAR = 1e9


def test_an_idle_lane_answers_without_a_timer() -> None:
    async def act() -> None:
        loop = asyncio.get_running_loop()
        lane = Lane(lambda c, n: c[0], batch_limit=10, queue_limit=100)
        start = loop.time()
        for i in range(200):
            assert await lane.submit([[i]], 1, loop.time() + 60) == [i]
        assert loop.time() - start < 0.5

    asyncio.run(act())


def test_a_busy_lane_batches_what_arrived_and_keeps_rows_with_their_callers() -> None:
    sizes: list[int] = []

    async def act() -> None:
        release = asyncio.Event()
        loop = asyncio.get_running_loop()

        def run(columns: list[list[Any]], rows: int) -> list[Any]:
            sizes.append(rows)
            if len(sizes) == 1:
                asyncio.run_coroutine_threadsafe(release.wait(), loop).result(5)
            return list(zip(*columns, strict=True))

        with ThreadPoolExecutor(1) as pool:
            lane = Lane(run, batch_limit=16, queue_limit=1000, executor=pool)
            calls = [
                asyncio.create_task(lane.submit([[i] * n, list(range(n))], n, loop.time() + 60))
                for i, n in enumerate([1, 3, 5, 40, 2])
            ]
            await asyncio.sleep(0.05)
            late = asyncio.create_task(lane.submit([["late"], [0]], 1, loop.time() + 60))
            await asyncio.sleep(0)
            release.set()
            answers = await asyncio.gather(*calls, late)
        for i, n in enumerate([1, 3, 5, 40, 2]):
            assert answers[i] == [(i, k) for k in range(n)]
        assert answers[5] == [("late", 0)]

    asyncio.run(act())
    assert sum(sizes) == 52
    assert max(sizes) == 16


def test_past_the_queue_callers_are_told_when_to_come_back() -> None:
    async def act() -> None:
        loop = asyncio.get_running_loop()
        gate = asyncio.Event()

        def run(columns: list[list[Any]], rows: int) -> list[Any]:
            asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(5)
            return columns[0]

        with ThreadPoolExecutor(1) as pool:
            lane = Lane(run, batch_limit=10, queue_limit=20, executor=pool)
            first = asyncio.create_task(lane.submit([[0] * 10], 10, FAR))
            await asyncio.sleep(0.02)
            waiting = [asyncio.create_task(lane.submit([[i] * 10], 10, FAR)) for i in (1, 2)]
            await asyncio.sleep(0)
            with pytest.raises(Overloaded) as caught:
                await lane.submit([[3]], 1, FAR)
            assert caught.value.retry_after > 0
            assert lane.queued == 20
            gate.set()
            assert await first == [0] * 10
            assert [await w for w in waiting] == [[1] * 10, [2] * 10]
            await lane.drained()
            assert lane.idle

    asyncio.run(act())


def test_callers_are_not_sent_away_for_longer_than_rows_wait() -> None:
    async def act() -> None:
        loop = asyncio.get_running_loop()
        lane = Lane(lambda c, n: c[0], batch_limit=10, queue_limit=20)
        lane.latency.observe(1, 60.0)
        waiting = asyncio.create_task(lane.submit([[0] * 20], 20, loop.time() + 3.0))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as caught:
            await lane.submit([[1]], 1, FAR)
        assert 2.0 < caught.value.retry_after <= 3.0
        assert await waiting == [0] * 20

    asyncio.run(act())


def test_expired_work_is_dropped_unscored() -> None:
    scored: list[Any] = []

    async def act() -> None:
        loop = asyncio.get_running_loop()
        gate = asyncio.Event()

        def run(columns: list[list[Any]], rows: int) -> list[Any]:
            scored.extend(columns[0])
            asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(5)
            return columns[0]

        with ThreadPoolExecutor(1) as pool:
            lane = Lane(run, batch_limit=1, queue_limit=20, executor=pool)
            first = asyncio.create_task(lane.submit([["first"]], 1, FAR))
            await asyncio.sleep(0.02)
            [answer] = await lane.submit([["late"]], 1, loop.time() + 0.02)
            assert isinstance(answer, RowError)
            assert answer.code == "TIMEOUT"
            assert lane.queued == 0
            gate.set()
            assert await first == ["first"]
        assert scored == ["first"]

    asyncio.run(act())


def test_the_batch_is_cut_to_meet_the_earliest_deadline() -> None:
    model = LatencyModel()
    for rows in (10, 100, 500):
        model.observe(rows, 0.01 + rows * 0.001)
    assert model.per_row == pytest.approx(0.001, rel=1e-6)
    assert model.fixed == pytest.approx(0.01, rel=1e-6)
    assert model.rows_within(0.11, 1000) in (99, 100)
    assert model.rows_within(0.001, 1000) == 1
    assert model.rows_within(5.0, 1000) == 1000
    assert LatencyModel().rows_within(0.0, 7) == 7


def test_a_hopeless_function_is_not_called_for_every_row() -> None:
    calls = 0

    def broken(column: list[int]) -> list[int]:
        nonlocal calls
        calls += 1
        raise OSError("gone")

    answers = run_isolated(broken, [list(range(4096))], 4096)
    assert len(answers) == 4096
    assert all(isinstance(a, RowError) and a.code == "UNAVAILABLE" for a in answers)
    assert calls < 80
