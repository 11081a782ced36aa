from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ksqlkit.dialect import types as T
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.errors import ServerError
from ksqlkit.process import ServerProcess
from ksqlkit.scoring import RowFailed, ScoringClient
from tests.support.scoring_server import scoring_server

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FUNCTIONS = """
from udf_server import function
import time

@function("NEGATED(x BIGINT) -> BIGINT")
def negated(xs):
    return [-x for x in xs]

@function("POISONED(x BIGINT) -> BIGINT")
def poisoned(xs):
    return [1 // (x - 617) and x for x in xs]

@function("SLOW(s DOUBLE) -> DOUBLE", timeout=0.3)
def slow(xs):
    time.sleep(max(xs))
    return xs

@function("PAUSE(s DOUBLE) -> DOUBLE")
def pause(xs):
    time.sleep(max(xs))
    return xs
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(FUNCTIONS)
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[ServerProcess]:
    with scoring_server(folder / "models", folder) as running:
        yield running


def within(seconds: float, check: Any) -> float:
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        if check():
            return time.monotonic() - start
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


def test_sql_sees_a_saved_function_within_a_second(server: ServerProcess, folder: Path) -> None:
    registry = Registry()
    with ScoringClient(server.url) as client:
        client.register_into(registry)
        client.watch()
        (folder / "new.py").write_text(
            "from udf_server import function\n@function('TRIPLE(x DOUBLE) -> DOUBLE')\n"
            "def triple(xs):\n    return [3 * x for x in xs]\n"
        )
        within(4.0, lambda: registry.kind("TRIPLE"))  # a second, and slack for a busy machine
        assert registry.scalar("TRIPLE", [T.DOUBLE]).fn(2.0) == 6.0


def test_a_killed_server_fails_rows_fast_and_is_found_again(folder: Path) -> None:
    server = scoring_server(folder / "models", folder)
    port = int(server.url.rpartition(":")[2])
    with ScoringClient(server.url) as client:
        client.refresh()
        client.watch(every=0.1)
        negated = client.function("NEGATED")
        assert negated.call([(1,), (2,)]) == [-1, -2]
        server.kill()
        for _ in range(5):
            results = negated.call([(1,), (2,)])
            assert all(isinstance(r, RowFailed) and r.code == "UNAVAILABLE" for r in results)
        start = time.monotonic()
        for _ in range(200):
            negated.call([(1,)])
        assert time.monotonic() - start < 2.0
        with scoring_server(folder / "models", folder, port=port):
            within(5.0, lambda: negated.call([(3,)]) == [-3])


def test_every_row_is_answered_once_while_the_server_restarts(folder: Path) -> None:
    """A blocking caller's rows all come back right, across a kill in the middle of a batch."""
    text = FUNCTIONS.replace(
        '"NEGATED(x BIGINT) -> BIGINT"', '"NEGATED(x BIGINT) -> BIGINT", on_failure="block"'
    )
    (folder / "mine.py").write_text(text)
    server = scoring_server(folder / "models", folder)
    port = int(server.url.rpartition(":")[2])
    got: list[Any] = []
    with ScoringClient(server.url) as client:
        client.refresh()
        client.watch(every=0.1)
        negated = client.function("NEGATED")
        worker = threading.Thread(target=lambda: got.extend(negated.call([(i,) for i in range(300_000)])))
        worker.start()
        time.sleep(0.3)
        server.kill()
        with scoring_server(folder / "models", folder, port=port):
            worker.join(30.0)
            assert not worker.is_alive()
    assert got == [-i for i in range(300_000)]


def test_a_slow_function_times_out_alone(server: ServerProcess) -> None:
    with ScoringClient(server.url) as client:
        client.refresh()
        start = time.monotonic()
        [result] = client.function("SLOW").call([(2.0,)])
        assert time.monotonic() - start < 1.9
        assert result.code == "TIMEOUT"
        [detail] = client.function("SLOW_DETAIL").call([(2.0,)])
        assert detail["STATUS"] == "TIMEOUT"
        assert client.function("NEGATED").call([(1,)]) == [-1]


def test_a_poison_row_in_a_thousand(server: ServerProcess) -> None:
    with ScoringClient(server.url) as client:
        client.refresh()
        results = client.function("POISONED").call([(i,) for i in range(1000)])
    [bad] = [i for i, r in enumerate(results) if isinstance(r, Exception)]
    assert bad == 617
    assert all(r in (i, 0) for i, r in enumerate(results) if i != 617)


def test_ten_callers_at_once_get_their_own_rows(server: ServerProcess) -> None:
    wrong: list[int] = []
    with ScoringClient(server.url) as client:
        client.refresh()
        negated = client.function("NEGATED")

        def caller(number: int) -> None:
            for batch in range(20):
                rows = [(number * 1_000_000 + batch * 1000 + i,) for i in range(50)]
                if negated.call(rows) != [-x for (x,) in rows]:
                    wrong.append(number)

        callers = [threading.Thread(target=caller, args=(n,)) for n in range(10)]
        for thread in callers:
            thread.start()
        for thread in callers:
            thread.join(30.0)
    assert wrong == []


def test_a_model_promoted_in_mid_stream_leaves_running_queries_theirs(folder: Path) -> None:
    import io

    import numpy as np

    from udf_server.models.store import ModelStore

    store = ModelStore(folder / "models")
    for weight in (1.0, -1.0):
        out = io.BytesIO()
        np.savez(out, weights=np.array([weight]), intercept=np.array(0.0), means=np.array([0.0]))
        store.publish(
            "fraud", out.getvalue(), kind="linear", file="model.npz", features=["X"], promote=weight > 0
        )
    with scoring_server(folder / "models") as server, ScoringClient(server.url) as client:
        registry = Registry()
        client.register_into(registry)
        client.watch(every=0.1)
        running = registry.scalar("FRAUD_SCORE", [T.DOUBLE])
        assert running.fn(2.0) > 0.5
        store.promote("fraud", 2)
        within(3.0, lambda: registry.scalar("FRAUD_SCORE", [T.DOUBLE]).fn(2.0) < 0.5)
        assert running.fn(2.0) > 0.5
        (folder / "models" / "fraud" / "3").mkdir()
        (folder / "models" / "fraud" / "aliases.json").write_text('{"live": 3}')
        ready = lambda: httpx.get(f"{server.url}/readyz").json()  # noqa: E731
        within(3.0, lambda: "fraud" in ready()["errors"])
        assert registry.scalar("FRAUD_SCORE", [T.DOUBLE]).fn(2.0) < 0.5


def test_shutdown_finishes_calls_under_way(server: ServerProcess) -> None:
    answers: list[httpx.Response] = []
    url = f"{server.url}/v1/functions/PAUSE:batch"
    caller = threading.Thread(
        target=lambda: answers.append(httpx.post(url, json={"data": [[0, 0.8]]}, timeout=10))
    )
    caller.start()
    time.sleep(0.3)
    server.process.send_signal(signal.SIGTERM)
    caller.join(10.0)
    assert answers[0].json()["data"] == [[0, 0.8]]
    assert server.process.wait(10.0) == 0


def test_a_server_does_not_outlive_the_process_that_started_it(folder: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from tests.support.scoring_server import scoring_server\n"
        f"s = scoring_server(Path({str(folder)!r})); print(s.process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    found = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    pid = int(found.stdout)

    def gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
        except FileNotFoundError:
            return True

    if not Path("/proc/self/stat").exists():
        pytest.skip("processes are looked up in /proc, which this system has not")
    within(5.0, gone)


def test_a_taken_port_is_a_clear_error(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            scoring_server(folder, port=port) as server,
            pytest.raises(ServerError, match=f"cannot listen on 127.0.0.1:{port}"),
        ):
            assert server.url
        found = subprocess.run(
            [sys.executable, "-m", "udf_server", "--port", str(port)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert found.returncode == 3
    assert "--port 0" in found.stderr
    assert "Traceback" not in found.stderr


def test_an_idle_server_is_small(server: ServerProcess) -> None:
    status = Path(f"/proc/{server.process.pid}/status")
    if not status.exists():
        pytest.skip("memory is read from /proc, which this system has not")
    found = re.search(r"VmRSS:\s+(\d+)", status.read_text())
    assert found is not None
    assert int(found[1]) < 70_000  # kB
    assert os.path.exists(status)


def test_scoring_with_xgboost_loads_neither_scikit_learn_nor_pandas(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ksqlkit.datagen import transactions\n"
        "from udf_server.features import windowed_features; from udf_server.models.store import ModelStore\n"
        "from udf_server.models.live import LiveModels; from udf_server.training import train_fraud\n"
        f"rows = list(transactions(20_000)); store = ModelStore(Path({str(tmp_path)!r}))\n"
        "train_fraud(windowed_features(rows), [r['IS_FRAUD'] for r in rows], store, trees=5)\n"
        "LiveModels(store).get('fraud'); print({'sklearn', 'pandas'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.stdout.strip() == "set()", found.stderr
