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
Done = Callable[[list[Any]], None]


@dataclass(slots=True, eq=False)
class Job:
    """Rows on their way; whoever sets `answered` gives them up."""

    columns: Columns
    rows: int
    width: int
    deadline: float
    done: Done
    answered: bool = False
    taken: int = 0  # rows handed to batches
    filled: int = 0
    values: list[Any] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None


class Lane:
    """Batches submitted rows into calls of `run(columns, rows)`, one call at a time, in order of arrival.

    `run` must give one value or RowError per row and never raise; `observe(rows, seconds, waited)` is told of
    each batch. Times are the event loop's, in seconds. A batch predicted to take less than `inline` runs on the loop.
    """

    def __init__(
        self,
        run: Run,
        *,
        batch_limit: int,
        queue_limit: int,
        executor: Executor | None = None,
        observe: Callable[[int, float, float], None] | None = None,
        inline: float = INLINE_SECONDS,
    ) -> None:
        self._run = run
        self._batch_limit = batch_limit
        self._queue_limit = queue_limit
        self._executor = executor
        self._observe = observe
        self._inline = inline
        self._jobs: deque[Job] = deque()
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
        """`put`, awaited."""
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        job = self.put(columns, rows, deadline, lambda v: None if future.done() else future.set_result(v))
        try:
            return await future
        except asyncio.CancelledError:
            job.answered = True
            raise

    def put(self, columns: Columns, rows: int, deadline: float, done: Done) -> Job:
        """Hand `done` the values, or RowErrors, of the rows in order, in a later turn of the loop; rows not answered
        by the deadline are TIMEOUT errors.

        Raises Overloaded when the queue is full. One job larger than the whole queue is taken when the lane
        is empty.
        """
        loop = asyncio.get_running_loop()
        if self._queued and self._queued + rows > self._queue_limit:
            # By its deadline the first one is gone, scored or not.
            gone = self._jobs[0].deadline - loop.time()
            raise Overloaded(max(min(self.latency.predict(self._queued), gone), 0.05))
        # Jobs of one width can be joined; of a matrix's rows, all but the last column are lists.
        width = len(columns) if type(columns[-1]) is list else columns[-1].shape[1]
        job = Job(columns, rows, width, deadline, done)
        if not self._jobs:
            self._waiting_since = loop.time()
        self._jobs.append(job)
        self._queued += rows
        if self._busy:
            job.timer = loop.call_at(deadline, self._expire, job)
        elif not self._scheduled:
            # One turn of the loop later, so that requests already read join the batch.
            self._scheduled = True
            loop.call_soon(self._start, loop)
        return job

    async def drained(self) -> None:
        """Return when nothing runs or waits."""
        if not self.idle:
            waiter = asyncio.get_running_loop().create_future()
            self._idle.append(waiter)
            await waiter

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._scheduled = False
        if self._busy:
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
            columns = _joined(parts)
        self._busy = True
        waited, self._waiting_since = now - self._waiting_since, now
        if self._executor is None or (self.latency.known and self.latency.predict(rows) < self._inline):
            self._finish(loop, parts, rows, now, waited, self._run(columns, rows))
            return
        for job in (*(job for job, _, _ in parts), *self._jobs):
            if job.timer is None:
                job.timer = loop.call_at(job.deadline, self._expire, job)
        call = loop.run_in_executor(self._executor, self._run, columns, rows)
        call.add_done_callback(lambda f: self._finish(loop, parts, rows, now, waited, _result(f, rows)))

    def _take(self, now: float) -> tuple[list[tuple[Job, int, int]], int]:
        """Rows for the next batch, first come first served, all of the first job's width."""
        parts: list[tuple[Job, int, int]] = []
        rows = 0
        cap = self._batch_limit
        while self._jobs and rows < cap:
            job = self._jobs[0]
            if job.answered or job.deadline <= now:  # abandoned, or late
                self._drop(job)
                if not job.answered:
                    self._late(job)
                continue
            if parts and job.width != parts[0][0].width:
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
        parts: list[tuple[Job, int, int]],
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
            if job.answered:  # as late, or abandoned
                continue
            job.values += part
            job.filled += end - start
            if job.filled == job.rows:
                if job.timer is not None:
                    job.timer.cancel()
                job.answered = True
                job.done(job.values)
        self._busy = False
        if self._jobs:
            if not self._scheduled:
                self._scheduled = True
                loop.call_soon(self._start, loop)
        else:
            self._settle()

    def _expire(self, job: Job) -> None:
        if job.answered:
            return
        if job in self._jobs:
            self._drop(job)
            self._settle()
        self._late(job)

    def _late(self, job: Job) -> None:
        late = RowError("the deadline passed before the row was scored", "TIMEOUT")
        # Rows are filled in order, so what is past `filled` was not answered.
        job.answered = True
        job.done(job.values + [late] * (job.rows - job.filled))

    def _drop(self, job: Job) -> None:
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


def _joined(parts: list[tuple[Job, int, int]]) -> Columns:
    """The rows of several jobs of the same width, column by column."""
    return [_column(parts, at) for at in range(len(parts[0][0].columns))]


def _column(parts: list[tuple[Job, int, int]], at: int) -> Any:
    if type(parts[0][0].columns[at]) is list:
        return [v for j, s, e in parts for v in j.columns[at][s:e]]
    import numpy as np

    return np.concatenate([j.columns[at][s:e] for j, s, e in parts])


def _result(call: asyncio.Future[list[Any]], rows: int) -> list[Any]:
    error = call.exception()
    if error is None:
        return call.result()
    return [RowError(f"{type(error).__name__}: {error}"[:500], "UNAVAILABLE")] * rows
