"""What handlers share: the engine behind threads, and news of its progress on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, ParamSpec, TypeVar

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.print_topic import PrintedTopic
from ksqlkit.engine.pull import PendingPull
from ksqlkit.engine.push import PushQuery
from ksqlkit.engine.results import PullResult

P = ParamSpec("P")
T = TypeVar("T")
THREADS: Final = 16
WAITING_THREADS: Final = 16


class Service:
    """An engine for many clients. Nothing here waits for the engine on the event loop itself."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.closing = False
        self.terminated = False  # by /ksql/terminate: from then on all is answered 503
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="ksqlkit-rest")
        self._waiting = ThreadPoolExecutor(WAITING_THREADS, thread_name_prefix="ksqlkit-wait")
        self._news: asyncio.Event | None = None
        self._watcher: threading.Thread | None = None

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that may take the engine's lock, on another thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: function(*args, **kwargs))

    async def query(
        self, sql: str, properties: Mapping[str, Any], variables: Mapping[str, str]
    ) -> PullResult | PushQuery | PrintedTopic:
        """Run a SELECT or PRINT. Those that wait for remote functions have threads of their own; a look-up that was
        asked before is answered on the event loop, where nobody holds the engine."""
        known = None if properties or variables else self.engine.try_query(sql)
        if known is not None:
            return known
        found = await self.run(self.engine.begin_query, sql, properties=properties, variables=variables)
        if isinstance(found, PendingPull):
            return await asyncio.get_running_loop().run_in_executor(self._waiting, found.finish)
        return found

    async def progress(self, timeout: float) -> None:
        """Wait until the engine has done some work, at most `timeout` seconds."""
        if self._news is None:
            self._news = asyncio.Event()
            self._watch(asyncio.get_running_loop())
        # Not wait_for: in Python 3.11 it may lose that its caller is cancelled.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._news.wait()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        progress = self.engine.context.progress

        def tell() -> None:
            assert self._news is not None
            self._news.set()
            self._news = asyncio.Event()

        def follow() -> None:
            while not self.closing:
                with progress:
                    progress.wait(1.0)
                try:
                    loop.call_soon_threadsafe(tell)
                except RuntimeError:  # the loop is closed
                    return

        self._watcher = threading.Thread(target=follow, name="ksqlkit-news", daemon=True)
        self._watcher.start()

    def close_streams(self) -> None:
        """End all push queries, so that their clients see the end."""
        self.closing = True
        with self.engine.context.lock:
            for query_id in list(self.engine.context.pushes):
                self.engine.close_query(query_id)
            self.engine.context.progress.notify_all()

    def close(self) -> None:
        """Let go of the threads; the engine stays open."""
        self.closing = True
        for pool in (self._pool, self._waiting):
            pool.shutdown(wait=False, cancel_futures=True)
