"""The HTTP server in this process: a real port, an engine within reach of the test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.rest.app import App
from ksqlkit.engine.rest.auth import Guard
from ksqlkit.engine.rest.serve import listen, serve, url_of
from ksqlkit.engine.rest.service import Service


@contextmanager
def rest_server(engine: Engine, guard: Guard | None = None, *, thread: bool = True) -> Iterator[str]:
    """Serve the engine on a free port until the block ends; gives its URL.

    Without `thread` the engine does no work of its own: tests call `run_until_idle`.
    """
    listening = threading.Event()
    found = listen("127.0.0.1", 0)
    service = Service(engine)
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def work() -> None:
        async def main() -> None:
            stop = asyncio.Event()
            loops.append((asyncio.get_running_loop(), stop))
            await serve(App(service, guard), found, listening.set, stop)

        asyncio.run(main())

    if thread:
        engine.start()
    runner = threading.Thread(target=work, name="rest-server")
    runner.start()
    assert listening.wait(10)
    try:
        yield url_of(found)
    finally:
        loop, stop = loops[0]
        loop.call_soon_threadsafe(stop.set)
        runner.join(10)
        service.close()
        engine.close()
        found.close()
