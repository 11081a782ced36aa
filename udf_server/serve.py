"""Run the server in this process: granian on a loopback port, hot reload, clean shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from ksqlkit.errors import ServerError
from udf_server.http.app import App
from udf_server.http.auth import Tokens
from udf_server.http.rsgi import RsgiApp
from udf_server.service import Service

POLL_SECONDS: Final = 0.3  # how often files and aliases are looked at; well under the promised second
logger = logging.getLogger("udf_server")


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Where to listen and what to serve. With `lazy`, models load at their first use instead of at start."""

    models: Path
    functions: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8090
    token_file: Path | None = None
    lazy: bool = False
    threads: int = 4


def free_port(host: str, port: int) -> int:
    """The port, or a free one for 0; raises ServerError when it is taken or not allowed."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ServerError(
                f"cannot listen on {host}:{port}: {error.strerror}",
                hint="use --port 0 for a free port, or stop what listens there",
            ) from error
        return int(probe.getsockname()[1])


async def serve(options: ServeOptions) -> None:
    """Serve until SIGINT or SIGTERM, then refuse new calls, finish those under way and return."""
    from granian.constants import Interfaces
    from granian.server.embed import Server

    tokens = Tokens.read(options.token_file) if options.token_file else None
    port = free_port(options.host, options.port)
    service = Service(options.models, options.functions, threads=options.threads)
    server = Server(
        RsgiApp(App(service, tokens)),
        address=options.host,
        port=port,
        interface=Interfaces.RSGI,
        websockets=False,
        log_enabled=False,
        backlog=1024,
        backpressure=1024,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if not options.lazy:
        service.warming = ["models"]
    running = asyncio.create_task(server.serve())
    watching = asyncio.create_task(_watch(service))
    warming = None if options.lazy else asyncio.create_task(service.warm())
    shown = f"[{options.host}]" if ":" in options.host else options.host
    print(f"udf_server listening on http://{shown}:{port}", flush=True)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not await service.drain():
            logger.warning("some calls were still under way at the end of the drain")
    finally:
        for task in (watching, stopping, warming):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        server.stop()  # type: ignore[no-untyped-call]
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def _watch(service: Service) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(POLL_SECONDS)
        try:
            # Model files may be large and user files slow to import: neither belongs on the loop.
            await loop.run_in_executor(None, service.look)
            service.adopt()
        except Exception:
            logger.exception("looking for changed functions and models failed")


class JsonLines(logging.Formatter):
    """One JSON object a line, with the trace and request ids of the call where there are any."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        line = {"time": round(record.created, 3), "level": record.levelname, "message": record.getMessage()}
        for key in ("traceparent", "request_id"):
            if value := getattr(record, key, None):
                line[key] = value
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def run(options: ServeOptions, *, log_level: str = "INFO") -> None:
    """Serve, logging JSON lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logger.addHandler(handler)
    logger.setLevel(log_level)
    asyncio.run(serve(options))
