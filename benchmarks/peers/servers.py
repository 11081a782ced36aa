"""The servers that are measured: how each starts, and what a request to it looks like."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parents[1] / "build" / "peers"
START = 150.0  # seconds a server has to come up
Rows = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Server:
    """`command(model, port, folder)` starts it; `body(rows)` is what is posted to `path`; `package` is what must be
    installed, in an environment of its own."""

    name: str
    command: Callable[[Path, int, Path], list[str]]
    path: str
    body: Callable[[Rows], Any]
    package: str | None = None
    beside: tuple[str, ...] = ()  # what else its environment needs

    @property
    def python(self) -> Path:
        """The interpreter that has its package."""
        return ENVIRONMENTS / str(self.package) / "bin" / "python" if self.package else Path(sys.executable)


def _ours(workers: int) -> Callable[[Path, int, Path], list[str]]:
    def command(model: Path, port: int, folder: Path) -> list[str]:
        from udf_server.models.store import ModelStore

        ModelStore(folder / "models").publish(
            "fraud",
            model.read_bytes(),
            kind="xgboost",
            file="model.ubj",
            features=[f"F{i}" for i in range(30)],
        )
        return [sys.executable, "-m", "udf_server", "--port", str(port), "--models", str(folder / "models"),
                "--workers", str(workers)]  # fmt: skip

    return command


def _numbered(rows: Rows) -> Any:
    return {"data": [[i, *row] for i, row in enumerate(rows)]}


def _tool(name: str) -> str:
    return str(ENVIRONMENTS / name / "bin" / name)


def _mlserver(batching: bool) -> Callable[[Path, int, Path], list[str]]:
    """In one process, which serves a model as quick as this one several times faster than its pool of workers does."""

    def command(_: Path, port: int, folder: Path) -> list[str]:
        ports = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
        settings = {"host": "127.0.0.1", "parallel_workers": 0, **ports}
        model: dict[str, Any] = {"name": "scores", "implementation": "serve_mlserver.Scores"}
        if batching:
            model |= {"max_batch_size": 64, "max_batch_time": 0.001}
        (folder / "settings.json").write_text(json.dumps(settings))
        (folder / "model-settings.json").write_text(json.dumps(model))
        return [_tool("mlserver"), "start", str(folder)]

    return command


def _v2(rows: Rows) -> Any:
    flat = [value for row in rows for value in row]
    shape = [len(rows), len(rows[0])]
    return {"inputs": [{"name": "rows", "shape": shape, "datatype": "FP64", "data": flat}]}


OURS = Server("ksqlkit", _ours(1), "/v1/functions/FRAUD_SCORE:batch", _numbered)
OURS_2 = Server("ksqlkit, 2 processes", _ours(2), OURS.path, _numbered)
BARE = Server("bare app", lambda m, p, _: [sys.executable, str(HERE / "bare.py"), str(m), str(p)], "/", list)
PRODUCTS = (
    Server(
        "LitServe",
        lambda m, p, _: [str(ENVIRONMENTS / "litserve/bin/python"), str(HERE / "serve_litserve.py"), str(m), str(p)],
        "/predict",
        lambda rows: {"data": rows},
        "litserve",
    ),
    Server(
        "BentoML",
        lambda _, p, __: [_tool("bentoml"), "serve", "serve_bentoml:Scores", "--host", "127.0.0.1", "--port", str(p)],
        "/predict",
        lambda rows: {"data": rows},
        "bentoml",
    ),
    # It relies on uvloop to make an event loop where there is none.
    Server("MLServer", _mlserver(False), "/v2/models/scores/infer", _v2, "mlserver", ("uvloop<0.22",)),
    Server("MLServer, batching", _mlserver(True), "/v2/models/scores/infer", _v2, "mlserver", ("uvloop<0.22",)),
)  # fmt: skip


def install(server: Server) -> str | None:
    """Make the server's environment if it is not there; returns why that failed, or None."""
    if server.package is None or server.python.exists():
        return None
    uv = [sys.executable, "-m", "uv"]
    folder = ENVIRONMENTS / server.package
    wanted = [server.package, *server.beside, "xgboost-cpu", "numpy"]
    for command in (
        [*uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
        [*uv, "pip", "install", "--quiet", "--python", str(server.python), *wanted],
    ):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if done.returncode:
            return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}"
    return None


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(server: Server, model: Path) -> Iterator[str]:
    """The URL to post to, once it scores; stopped at the end."""
    import httpx

    with TemporaryDirectory() as folder:
        port = free_port()
        paths = os.pathsep.join([str(HERE), str(HERE.parents[1])])
        process = subprocess.Popen(
            server.command(model, port, Path(folder)),
            cwd=HERE,
            env={**os.environ, "BENCH_MODEL": str(model), "PYTHONPATH": paths, "BENTOML_DO_NOT_TRACK": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        url = f"http://127.0.0.1:{port}{server.path}"
        try:
            deadline = time.monotonic() + START
            while True:
                try:
                    if httpx.post(url, json=server.body([[0.0] * 30]), timeout=5, trust_env=False).is_success:
                        break
                except httpx.HTTPError:
                    pass
                if time.monotonic() > deadline or process.poll() is not None:
                    raise TimeoutError(f"{server.name} did not come up")
                time.sleep(0.2)
            yield url
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)


def make_model(path: Path) -> Any:
    """Train the model that all serve, 200 trees of depth 6 over 30 features; returns 256 rows to score."""
    from ksqlkit.imports import import_xgboost

    xgboost = import_xgboost()
    chance = np.random.default_rng(1)
    rows = chance.normal(size=(20_000, 30))
    label = rows[:, :5].sum(axis=1) + 2 * chance.normal(size=len(rows)) > 1
    settings = {"objective": "binary:logistic", "max_depth": 6, "eta": 0.1, "nthread": 1}
    booster = xgboost.train(settings, xgboost.DMatrix(rows, label), 200)
    booster.save_model(path)
    return rows[:256]
