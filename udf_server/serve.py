"""Run the server: one process or several on a port, hot reload, clean shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import orjson

from udf_server.drift.alerts import to_topic, to_webhook
from udf_server.drift.outbox import Outbox
from udf_server.http.app import App
from udf_server.http.auth import Tokens
from udf_server.http.wire import Connections
from udf_server.metrics import Metrics
from udf_server.service import Service
from udf_server.workers import Peers, reserve, supervise

if TYPE_CHECKING:
    import ssl

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
    workers: int = 1
    tls_cert: Path | None = None
    tls_key: Path | None = None
    alert_webhook: str | None = None
    alert_ksqldb: str | None = None


async def serve(options: ServeOptions, port: int, peers: Peers | None = None) -> bool:
    """Serve until SIGINT or SIGTERM, then refuse new calls, finish those under way and return whether all could be.
    SIGHUP reads tokens, certificate, functions and models again; connections stay."""
    tokens = Tokens.read(options.token_file) if options.token_file else None
    context = _tls(options)
    metrics = Metrics()
    targets = {"webhook": to_webhook(options.alert_webhook)} if options.alert_webhook else {}
    targets |= {"ksqldb": to_topic(options.alert_ksqldb)} if options.alert_ksqldb else {}
    outboxes = [Outbox(send, target, metrics) for target, send in targets.items()]
    service = Service(
        options.models, options.functions, threads=options.threads, metrics=metrics, sends=outboxes
    )
    app = App(service, tokens, peers)
    connections = Connections(app)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: _reload(options, app, context))
    if not options.lazy:
        service.warming = ["models"]
    listening = await loop.create_server(
        connections.connection, options.host, port, backlog=1024, reuse_port=True, ssl=context
    )
    watching = asyncio.create_task(_watch(service, connections, peers))
    warming = None if options.lazy else asyncio.create_task(service.warm())
    if peers is None:
        announce(options, port)
    try:
        await stop.wait()
        listening.close()
        finished = await service.drain()
        if not finished:
            logger.warning("some calls were still under way at the end of the drain")
        await asyncio.gather(*(asyncio.to_thread(box.close) for box in outboxes))
        connections.close()
        for _ in range(100):
            if not connections.open:
                break
            await asyncio.sleep(0.01)
    finally:
        for task in (watching, warming):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
    return finished


def announce(options: ServeOptions, port: int) -> None:
    """Say on standard output where the server is."""
    shown = f"[{options.host}]" if ":" in options.host else options.host
    scheme = "https" if options.tls_cert else "http"
    print(f"udf_server listening on {scheme}://{shown}:{port}", flush=True)


def _tls(options: ServeOptions) -> ssl.SSLContext | None:
    if options.tls_cert is None:
        if options.tls_key is not None:
            raise ValueError("--tls-key needs --tls-cert")
        return None
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(options.tls_cert, options.tls_key)
    except ssl.SSLError as error:
        raise ValueError(
            f"{options.tls_cert} and its key do not fit or do not parse: {error.reason}"
        ) from error
    return context


def _reload(options: ServeOptions, app: App, context: ssl.SSLContext | None) -> None:
    """Take over a changed token file and certificate; what is broken keeps the old one. Functions and models are looked
    at anyway."""
    try:
        if options.token_file:
            app.tokens = Tokens.read(options.token_file)
        if context is not None and options.tls_cert:
            context.load_cert_chain(options.tls_cert, options.tls_key)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        logger.error("the reload failed, the old settings stay: %s", error)
    else:
        logger.info("settings were read again")


async def _watch(service: Service, connections: Connections, peers: Peers | None) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(POLL_SECONDS)
        try:
            # Model files may be large and user files slow to import: neither belongs on the loop.
            await loop.run_in_executor(None, service.look)
            service.adopt()
            connections.sweep(loop.time())
            if peers is not None:
                if peers.orphaned():
                    os.kill(os.getpid(), signal.SIGTERM)
                service.metrics.queued.set(service.queued())
                state = service.metrics.state()
                await loop.run_in_executor(None, peers.tell, state)
        except Exception:
            logger.exception("looking for changed functions and models failed")


class JsonLines(logging.Formatter):
    """One JSON object a line, with the trace and request ids of the call where there are any."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        line = {"time": round(record.created, 3), "level": record.levelname, "message": record.getMessage()}
        for key in ("request_id", "traceparent", "function", "status"):
            if value := getattr(record, key, None):
                line[key] = value
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def run(options: ServeOptions, *, log_level: str = "INFO") -> int:
    """Serve, logging JSON lines to standard error; returns the exit code."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logger.addHandler(handler)
    logger.setLevel(log_level)
    with reserve(options.host, options.port) as held:
        port = int(held.getsockname()[1])
        if options.workers == 1:
            if not asyncio.run(serve(options, port)):
                logging.shutdown()
                os._exit(0)  # which does not wait for the threads of what does not end
            return 0
        _tls(options)  # what is wrong with the options is said once, before anything starts
        if options.token_file:
            Tokens.read(options.token_file)
        with TemporaryDirectory(prefix="udf_server-") as folder:
            parent = os.getpid()

            def work(number: int) -> int:
                asyncio.run(serve(options, port, Peers(Path(folder), number, parent)))
                return 0

            announce(options, port)
            return supervise(options.workers, work)
