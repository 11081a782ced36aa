"""A lane: the queue and the batches of one function body.

Work-conserving: the moment the body is free it gets what is there, so an idle lane adds no wait and a busy
one batches by itself. The batch is capped so that its predicted finish meets the earliest deadline. Nothing
waits on a timer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Final

from udf_server.batch import Columns
from udf_server.batching.latency import LatencyModel
from udf_server.errors import Overloaded
from udf_server.function import RowError

# A batch predicted to be this short runs on the event loop: handing it to a thread would cost as much.
INLINE_SECONDS: Final = 0.0003

Run = Callable[[Columns, int], list[Any]]


@dataclass(slots=True, eq=False)
class _Job:
    columns: Columns
    rows: int
    deadline: float
    future: asyncio.Future[list[Any]]
    taken: int = 0  # rows handed to batches
    filled: int = 0
    values: list[Any] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None


class Lane:
    """Batches submitted rows into calls of `run(columns, rows)`, one call at a time, in order of arrival.

    `run` must give one value or RowError per row and never raise; `observe(rows, seconds, waited)` is told of
    each batch. Times are the event loop's, in seconds.
    """

    def __init__(
        self,
        run: Run,
        *,
        batch_limit: int,
        queue_limit: int,
        executor: Executor | None = None,
        observe: Callable[[int, float, float], None] | None = None,
    ) -> None:
        self._run = run
        self._batch_limit = batch_limit
        self._queue_limit = queue_limit
        self._executor = executor
        self._observe = observe
        self._jobs: deque[_Job] = deque()
        self._queued = 0
        self._busy = False
        self._scheduled = False
        self._waiting_since = 0.0
        self._idle: list[asyncio.Future[None]] = []
        self.latency = LatencyModel()

    @property
    def queued(self) -> int:
        """Rows that wait."""
        return self._queued

    @property
    def idle(self) -> bool:
        """Whether nothing runs or waits."""
        return not self._busy and not self._jobs

    async def submit(self, columns: Columns, rows: int, deadline: float) -> list[Any]:
        """The values, or RowErrors, of the rows in order; rows not answered by the deadline are TIMEOUT
        errors.

        Raises Overloaded when the queue is full. One job larger than the whole queue is taken when the lane
        is empty.
        """
        if self._queued and self._queued + rows > self._queue_limit:
            raise Overloaded(max(self.latency.predict(self._queued), 0.05))
        loop = asyncio.get_running_loop()
        job = _Job(columns, rows, deadline, loop.create_future(), values=[None] * rows)
        if not self._jobs:
            self._waiting_since = loop.time()
        self._jobs.append(job)
        self._queued += rows
        job.timer = loop.call_at(deadline, self._expire, job)
        self._wake(loop)
        return await job.future

    async def drained(self) -> None:
        """Return when nothing runs or waits."""
        if not self.idle:
            waiter = asyncio.get_running_loop().create_future()
            self._idle.append(waiter)
            await waiter

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        # One turn of the loop later, so that requests already read join the batch.
        if not self._busy and not self._scheduled and self._jobs:
            self._scheduled = True
            loop.call_soon(self._start, loop)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._scheduled = False
        if self._busy or not self._jobs:
            return
        now = loop.time()
        parts, rows = self._take(now)
        if not rows:
            self._settle()
            return
        if len(parts) == 1:
            job, start, end = parts[0]
            columns = job.columns if end - start == job.rows else [c[start:end] for c in job.columns]
        else:
            width = len(parts[0][0].columns)
            columns = [[v for j, s, e in parts for v in j.columns[i][s:e]] for i in range(width)]
        self._busy = True
        waited, self._waiting_since = now - self._waiting_since, now
        if self._executor is None or (self.latency.known and self.latency.predict(rows) < INLINE_SECONDS):
            self._finish(loop, parts, rows, now, waited, self._run(columns, rows))
        else:
            call = loop.run_in_executor(self._executor, self._run, columns, rows)
            call.add_done_callback(lambda f: self._finish(loop, parts, rows, now, waited, _result(f, rows)))

    def _take(self, now: float) -> tuple[list[tuple[_Job, int, int]], int]:
        """Rows for the next batch, first come first served, all of the first job's width."""
        parts: list[tuple[_Job, int, int]] = []
        rows = 0
        cap = self._batch_limit
        while self._jobs and rows < cap:
            job = self._jobs[0]
            if job.future.done():  # expired or abandoned
                self._drop(job)
                continue
            if parts and len(job.columns) != len(parts[0][0].columns):
                break
            fits = self.latency.rows_within(job.deadline - now, self._batch_limit)
            if parts and fits <= rows:
                break
            cap = min(cap, fits)
            count = min(job.rows - job.taken, cap - rows)
            parts.append((job, job.taken, job.taken + count))
            job.taken += count
            rows += count
            self._queued -= count
            if job.taken == job.rows:
                self._jobs.popleft()
        return parts, rows

    def _finish(
        self,
        loop: asyncio.AbstractEventLoop,
        parts: list[tuple[_Job, int, int]],
        rows: int,
        started: float,
        waited: float,
        values: list[Any],
    ) -> None:
        seconds = loop.time() - started
        self.latency.observe(rows, seconds)
        if self._observe is not None:
            self._observe(rows, seconds, waited)
        at = 0
        for job, start, end in parts:
            part = values[at : at + end - start]
            at += end - start
            if job.future.done():  # answered as late, or abandoned
                continue
            job.values[start:end] = part
            job.filled += end - start
            if job.filled == job.rows:
                if job.timer is not None:
                    job.timer.cancel()
                job.future.set_result(job.values)
        self._busy = False
        self._settle()
        self._wake(loop)

    def _expire(self, job: _Job) -> None:
        if job.future.done():
            return
        late = RowError("the deadline passed before the row was scored", "TIMEOUT")
        # Rows are filled in order, so what is past `filled` was not answered.
        job.values[job.filled :] = [late] * (job.rows - job.filled)
        job.future.set_result(job.values)
        if job in self._jobs:
            self._drop(job)
            self._settle()

    def _drop(self, job: _Job) -> None:
        self._jobs.remove(job)
        self._queued -= job.rows - job.taken
        if job.timer is not None:
            job.timer.cancel()

    def _settle(self) -> None:
        if self.idle:
            for waiter in self._idle:
                if not waiter.done():
                    waiter.set_result(None)
            self._idle.clear()


def _result(call: asyncio.Future[list[Any]], rows: int) -> list[Any]:
    error = call.exception()
    if error is None:
        return call.result()
    return [RowError(f"{type(error).__name__}: {error}"[:500], "UNAVAILABLE")] * rows
