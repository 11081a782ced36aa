from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from udf_server.__main__ import main
from udf_server.metrics import Metrics
from udf_server.workers import Peers, automatic

FUNCTIONS = """
from udf_server import function
import os, time

@function("PID(x BIGINT) -> BIGINT", deterministic=False)
def pid(xs):
    return [os.getpid()] * len(xs)

@function("NEGATED(x BIGINT) -> BIGINT")
def negated(xs):
    return [-x for x in xs]

@function("PAUSE(s DOUBLE) -> DOUBLE")
def pause(xs):
    time.sleep(max(xs))
    return xs
"""
PROCESS = [pytest.mark.e2e, pytest.mark.slow]


@contextmanager
def server(folder: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    (folder / "f.py").write_text(FUNCTIONS)
    command = [
        sys.executable,
        "-m",
        "udf_server",
        "--lazy",
        "--port",
        "0",
        "--models",
        str(folder / "models"),
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--functions", str(folder), *more], stdout=subprocess.PIPE, stderr=log, text=True
        )
        assert process.stdout is not None
        try:
            url = process.stdout.readline().split()[-1]
            yield process, url
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(15)
            process.stdout.close()


def ask(url: str, name: str, value: Any, **given: Any) -> httpx.Response:
    """A call on a connection of its own, tried again while nobody listens yet."""
    for _ in range(200):
        try:
            return httpx.post(
                f"{url}/v1/functions/{name}:batch", json={"data": [[0, value]]}, timeout=10, **given
            )
        except (httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError):
            time.sleep(0.05)
    raise AssertionError("nobody answers")


def workers_of(url: str) -> set[int]:
    return {ask(url, "PID", 1).json()["data"][0][1] for _ in range(40)}


class TestProcesses:
    pytestmark = PROCESS

    def test_they_share_a_port_their_counts_and_their_end(self, tmp_path: Path) -> None:
        with server(tmp_path, "--workers", "2") as (process, url):
            pids: set[int] = set()
            for _ in range(10):
                pids |= workers_of(url)
                if len(pids) == 2:
                    break
            assert len(pids) == 2
            for _ in range(30):
                ask(url, "NEGATED", 1)
            time.sleep(1.0)
            text = httpx.get(f"{url}/metrics").text
            assert 'udf_rows_total{function="NEGATED",outcome="OK"} 30' in text
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
            assert not any(Path(f"/proc/{pid}").exists() for pid in pids)

    def test_one_that_is_killed_comes_back_and_rows_are_never_mixed_up(self, tmp_path: Path) -> None:
        with server(tmp_path, "--workers", "2") as (_, url):
            before = workers_of(url)
            wrong: list[Any] = []
            stop = threading.Event()

            def caller(start: int) -> None:
                number = start
                while not stop.is_set():
                    number += 1
                    found = ask(url, "NEGATED", number)
                    if found.status_code != 200 or found.json()["data"] != [[0, -number]]:
                        wrong.append((number, found.text))

            threads = [threading.Thread(target=caller, args=(n * 1_000_000,)) for n in range(4)]
            for thread in threads:
                thread.start()
            os.kill(min(before), signal.SIGKILL)
            time.sleep(2.0)
            stop.set()
            for thread in threads:
                thread.join(20)
            assert wrong == []
            after = workers_of(url)
            assert min(before) not in after

    def test_workers_do_not_outlive_the_one_that_started_them(self, tmp_path: Path) -> None:
        with server(tmp_path, "--workers", "2") as (process, url):
            pids = workers_of(url)
            process.kill()
            process.wait()
            for _ in range(100):
                if not any(Path(f"/proc/{pid}").exists() for pid in pids):
                    return
                time.sleep(0.1)
            raise AssertionError("workers live on")

    def test_a_call_that_does_not_end_keeps_no_process(self, tmp_path: Path) -> None:
        with server(tmp_path) as (process, url):
            ask(url, "NEGATED", 1)

            def forever() -> None:
                with contextlib.suppress(httpx.HTTPError):
                    ask(url, "PAUSE", 60.0)

            caller = threading.Thread(target=forever, daemon=True)
            caller.start()
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0  # ten seconds are given to calls under way
        assert "still under way" in (tmp_path / "log").read_text()

    def test_a_reload_takes_new_tokens_and_breaks_no_connection(self, tmp_path: Path) -> None:
        tokens = tmp_path / "tokens"
        tokens.write_text("old NEGATED\n")
        with server(tmp_path, "--token-file", str(tokens)) as (process, url):
            old, new = ({"authorization": f"Bearer {t}"} for t in ("old", "new"))
            assert ask(url, "NEGATED", 1, headers=old).status_code == 200
            assert ask(url, "PID", 1, headers=old).status_code == 403
            assert ask(url, "NEGATED", 1, headers=new).status_code == 401
            with httpx.Client(headers=new) as client:
                client.get(f"{url}/livez")
                slow = threading.Thread(target=lambda: ask(url, "PAUSE", 0.5, headers=old))
                slow.start()
                tokens.write_text("# nobody\n")
                process.send_signal(signal.SIGHUP)
                time.sleep(0.3)
                assert ask(url, "NEGATED", 1, headers=old).status_code == 200
                tokens.write_text("new\n")
                process.send_signal(signal.SIGHUP)
                time.sleep(0.3)
                found = client.post(f"{url}/v1/functions/NEGATED:batch", json={"data": [[0, 4]]})
                assert found.json()["data"] == [[0, -4]]
                slow.join(10)
            assert ask(url, "NEGATED", 1, headers=old).status_code == 401
        assert "the old settings stay" in (tmp_path / "log").read_text()

    @pytest.mark.skipif(shutil.which("openssl") is None, reason="a certificate is made with openssl")
    def test_tls(self, tmp_path: Path) -> None:
        key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
            check=True, capture_output=True,
        )  # fmt: skip
        with server(tmp_path, "--tls-cert", str(certificate), "--tls-key", str(key)) as (_, url):
            assert url.startswith("https://")
            trust = ssl.create_default_context(cafile=str(certificate))
            assert ask(url, "NEGATED", 5, verify=trust).json()["data"] == [[0, -5]]
        wrong = [sys.executable, "-m", "udf_server", "--port", "0", "--tls-cert", str(tmp_path / "f.py")]
        found = subprocess.run(wrong, capture_output=True, text=True, check=False)
        assert found.returncode == 1
        assert "Traceback" not in found.stderr


def test_as_many_workers_as_cores_at_most() -> None:
    assert 1 <= automatic() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("given", ["0", "-1", "many"])
def test_a_number_of_workers_that_makes_no_sense(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--workers", given])
    assert "--workers" in capsys.readouterr().err


def test_counts_of_several_processes_add_up(tmp_path: Path) -> None:
    metrics = [Metrics(), Metrics()]
    for number, each in enumerate(metrics):
        each.rows.add(number + 1, function="F", outcome="OK")
        each.score.observe(0.002, function="F")
        Peers(tmp_path, number, os.getppid()).tell(each.state())
    total = Metrics()
    total.merge(metrics[0].state())
    for state in Peers(tmp_path, 0, os.getppid()).others():
        total.merge(state)
    assert total.rows.value(function="F", outcome="OK") == 3
    assert 'udf_score_seconds_count{function="F"} 2' in total.render()


def test_the_metrics_page_is_for_all_processes(tmp_path: Path) -> None:
    from udf_server.http.app import App
    from udf_server.http.message import Request
    from udf_server.service import Service

    async def act() -> str:
        service = Service(tmp_path / "models")
        other = Metrics()
        other.reloads.add(41)
        Peers(tmp_path, 1, 0).tell(other.state())
        service.metrics.reloads.add()
        page = await App(service, peers=Peers(tmp_path, 0, 0)).handle(Request("GET", "/metrics", {}))
        await service.drain()
        return page.body.decode()

    assert "udf_reloads_total 42" in asyncio.run(act())
