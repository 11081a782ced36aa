"""The servers of `ksqlkit dev` and `ksqlkit demo`: the embedded ksqlDB and the scoring server, as child processes."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ksqlkit.client.http import HttpClient
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
    scoring_port = options.scoring_port or free_port(options.host)
    scoring_command = [sys.executable, "-m", "udf_server", "--lazy", "--host", options.host]
    scoring_command += ["--port", str(scoring_port), "--models", str(options.models)]
    scoring_command += ["--functions", str(options.functions)]  # it may come to be later
    command = [
        sys.executable,
        "-m",
        "ksqlkit.engine.rest",
        "--host",
        options.host,
        "--port",
        str(options.port),
    ]
    command += ["--log", str(options.log) if options.log else ":memory:"]
    command += ["--scoring", f"http://{options.host}:{scoring_port}"]
    with (
        ServerProcess("scoring server", scoring_command, health="/livez") as scoring,
        ServerProcess("embedded ksqlDB", command, health="/info") as ksql,
    ):
        client = HttpClient(ksql.url, timeout=120.0)  # waits for the server
        scoring.url  # noqa: B018 (likewise; a taken port is an error here)
        try:
            yield Stack(ksql, scoring, client)
        finally:
            client.close()


def free_port(host: str) -> int:
    """A port that nothing listens on just now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
