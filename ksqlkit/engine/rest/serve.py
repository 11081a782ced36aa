"""Listening: HTTP/1.1 and HTTP/2 (prior knowledge) on one clear-text port."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ksqlkit.engine.rest.app import App
from ksqlkit.errors import ServerError

if TYPE_CHECKING:
    from hypercorn.config import Config

BACKLOG: Final = 256
_LOGGER = logging.getLogger("ksqlkit.rest")


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises ServerError when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Told that it is TCP, asyncio sends each answer at once (TCP_NODELAY); else the client's delayed ACK costs 40 ms.
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(BACKLOG)
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
    from hypercorn.asyncio.worker_context import WorkerContext
    from hypercorn.utils import wrap_app

    from ksqlkit.engine.rest.connection import Connection

    if stop is None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
    config, context = _config(), WorkerContext(None)
    wrapped = wrap_app(app, config.wsgi_max_body_size, "asgi")  # type: ignore[arg-type]
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        task.add_done_callback(connections.discard)
        try:
            await Connection(wrapped, asyncio.get_running_loop(), config, context, {}, reader, writer)
        except Exception:  # of one connection: the others go on
            _LOGGER.debug("a connection broke", exc_info=True)

    server = await asyncio.start_server(connected, backlog=BACKLOG, sock=found.dup())
    ready()
    await stop.wait()
    await asyncio.to_thread(stopping)
    await asyncio.to_thread(app.service.close_streams)
    server.close()
    await context.terminated.set()
    if connections:
        await asyncio.wait(connections, timeout=config.graceful_timeout)


def _config() -> Config:
    """hypercorn's settings: no headers that ksqlDB does not send, long-lived connections."""
    from hypercorn.config import Config

    config = Config()
    config.include_date_header = False
    config.include_server_header = False
    config.errorlog = config.accesslog = None
    config.keep_alive_timeout = 300.0
    config.keep_alive_max_requests = 1 << 62
    config.h11_max_incomplete_size = 256 * 1024
    config.h2_max_concurrent_streams = 1000
    config.graceful_timeout = 2.0
    return config
