"""Listening: HTTP/1.1 and HTTP/2 (prior knowledge) on one clear-text port."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable

from ksqlkit.engine.rest.app import App
from ksqlkit.errors import ServerError


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises ServerError when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(256)
    except OSError as error:
        found.close()
        raise ServerError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; use --port 0 to take a free port"
        ) from None
    found.setblocking(False)
    return found


def url_of(found: socket.socket) -> str:
    """Where it listens."""
    host, port = found.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(
    app: App,
    found: socket.socket,
    ready: Callable[[], None],
    stop: asyncio.Event | None = None,
    *,
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Answer until SIGTERM or SIGINT (or `stop` is set); then end the streams and let requests finish.

    `ready` is called when connections are accepted, `stopping` first of all when the end is asked for.
    """
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{os.dup(found.fileno())}"]  # it closes its own
    config.include_date_header = False
    config.include_server_header = False
    config.errorlog = config.accesslog = None
    config.keep_alive_timeout = 300.0
    config.keep_alive_max_requests = 1 << 62
    config.h11_max_incomplete_size = 256 * 1024
    config.h2_max_concurrent_streams = 1000
    config.graceful_timeout = 2.0
    if stop is None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)

    async def stopped() -> None:
        ready()
        await stop.wait()
        await asyncio.to_thread(stopping)
        await asyncio.to_thread(app.service.close_streams)

    await hypercorn_serve(app, config, shutdown_trigger=stopped)  # type: ignore[arg-type]
