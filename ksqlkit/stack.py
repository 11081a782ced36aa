"""The servers of `ksqlkit dev` and `ksqlkit demo`: the embedded ksqlDB and the scoring server, as child processes."""

from __future__ import annotations

import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from ksqlkit.client.http import HttpClient
from ksqlkit.errors import ServerError
from ksqlkit.process import ServerProcess

KSQL_PORT = 8088
SCORING_PORT = 8090


@dataclass(frozen=True, slots=True)
class StackOptions:
    """Where the servers listen and keep their data; port 0 takes a free one. `log` None keeps records in memory."""

    models: Path
    functions: Path
    log: Path | None = None
    host: str = "127.0.0.1"
    port: int = KSQL_PORT
    scoring_port: int = SCORING_PORT


@dataclass(slots=True)
class Stack:
    """Running servers; `client` speaks to the ksqlDB."""

    ksql: ServerProcess
    scoring: ServerProcess
    client: HttpClient


@contextmanager
def run_stack(options: StackOptions) -> Iterator[Stack]:
    """Start both servers at once, and stop them in order. Raises ServerError saying which port is taken."""
    port = options.port or free_port(options.host)
    scoring_port = options.scoring_port or free_port(options.host)
    host = f"[{options.host}]" if ":" in options.host else options.host
    scoring_command = [sys.executable, "-m", "udf_server", "--lazy", "--host", options.host]
    scoring_command += ["--port", str(scoring_port), "--models", str(options.models)]
    scoring_command += ["--functions", str(options.functions)]  # it may come to be later
    scoring_command += ["--alert-ksqldb", f"http://{host}:{port}"]
    command = [
        sys.executable,
        "-m",
        "ksqlkit.engine.rest",
        "--host",
        options.host,
        "--port",
        str(port),
    ]
    command += ["--log", str(options.log) if options.log else ":memory:"]
    command += ["--scoring", f"http://{host}:{scoring_port}"]
    command += ["--property", "ksql.logging.processing.stream.auto.create=true"]
    with (
        ServerProcess("scoring server", scoring_command, health="/livez") as scoring,
        ServerProcess("embedded ksqlDB", command, health="/info") as ksql,
    ):
        client = HttpClient(ksql.url, timeout=120.0)  # waits for the server
        await_functions(client, scoring.url)
        try:
            yield Stack(ksql, scoring, client)
        finally:
            client.close()


def await_functions(client: HttpClient, scoring_url: str, patience: float = 15.0) -> None:
    """Wait until SQL sees the scoring server's functions: the two servers start side by side. Raises ServerError."""
    with urllib.request.urlopen(f"{scoring_url}/v1/functions", timeout=patience) as reply:
        wanted = {f["name"] for f in orjson.loads(reply.read())["functions"]}
    until = time.monotonic() + patience
    while True:
        seen = {f["name"] for f in client.execute("SHOW FUNCTIONS;")[0]["functions"]}
        if wanted <= seen:
            return
        if time.monotonic() > until:
            raise ServerError(f"ksqlDB does not see the functions {', '.join(sorted(wanted - seen))}")
        time.sleep(0.05)


def free_port(host: str) -> int:
    """A port that nothing listens on just now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
