"""Every command of the README, in its order, in an empty folder, as a reader would type it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.readme import Block, read_blocks

ROOT = Path(__file__).parents[2]
BLOCKS = read_blocks(ROOT / "README.md")
BIN = Path(sys.executable).parent

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.checkout]


def test_make_verbs_of_the_readme_exist() -> None:
    verbs = {c.split()[1] for b in BLOCKS if b.language == "sh" for c in b.commands if c.startswith("make ")}
    verbs |= set(re.findall(r"`make (\w+)`", (ROOT / "README.md").read_text()))
    assert {"demo", "dev", "test", "bench", "conformance"} <= verbs
    for verb in sorted(verbs):
        done = subprocess.run(["make", "-n", verb], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    running: list[subprocess.Popen[str]] = []
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "KSQLKIT_PORT": "0", "HOME": str(tmp_path)}
    env.pop("KSQLKIT_SERVER", None)
    (tmp_path / "project").mkdir()
    yield _Reader(tmp_path / "project", env, running)  # type: ignore[misc]
    for process in running:
        os.killpg(process.pid, signal.SIGINT)
        code = process.wait(20)
        assert process.stderr is not None
        process.stderr.close()
        assert code == 130, "Ctrl-C is a clean stop with its own exit code"


class _Reader:
    """Does what a block says."""

    def __init__(self, folder: Path, env: dict[str, str], running: list[subprocess.Popen[str]]) -> None:
        self.folder, self.env, self.running = folder, env, running
        self.addresses: dict[str, str] = {}
        self.outputs: dict[str, str] = {}

    def follow(self, block: Block) -> None:
        if block.label == "server":
            self._serve(block.commands[0])
        elif block.language == "sh":
            for command in block.commands:
                if not command.startswith("make "):
                    self._run(command)
        elif "." in block.label:
            path = self.folder / block.label
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
            if path.parent.name == "functions":
                time.sleep(1.0)  # what the README promises

    def _run(self, command: str) -> None:
        for written, actual in self.addresses.items():
            command = command.replace(written, actual)
        done = subprocess.run(
            command, shell=True, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}\n{done.stderr}"
        self.outputs[command] = done.stdout

    def _serve(self, command: str) -> None:
        process = subprocess.Popen(
            f"exec {command}",
            shell=True,
            cwd=self.folder,
            env=self.env,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.running.append(process)
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"(ksqlDB|scoring server) +(http://\S+)", line):
                usual = "http://127.0.0.1:8088" if found[1] == "ksqlDB" else "http://127.0.0.1:8090"
                self.addresses[usual] = found[2]
            if "Ctrl-C" in line:
                break
        assert len(self.addresses) == 2, "".join(said)
        self.env["KSQLKIT_SERVER"] = self.addresses["http://127.0.0.1:8088"]
        self.env["KSQLKIT_SCORING"] = self.addresses["http://127.0.0.1:8090"]


def test_every_command_runs_and_shows_what_it_should(folder: _Reader) -> None:
    for block in BLOCKS:
        folder.follow(block)
    shown = dict(folder.outputs)

    def output(part: str) -> str:
        return next(text for command, text in shown.items() if part in command)

    assert "CREATE TABLE REVENUE_HOURLY" in output("ksqlkit render")
    assert "20.5" in output("FROM REVENUE_HOURLY WHERE CUSTOMER = 'ann'")
    large = output("FROM LARGE_ORDERS EMIT CHANGES")
    assert "POSITIVE" in large
    assert "NEGATIVE" in large
    assert "BASKET_SIZE" in output("ksqlkit functions")
    assert "small" in output("BASKET_SIZE(AMOUNT)")
    assert "TOO_SHORT" in output("FROM REVENUE_FORECAST")
    assert "KsqlServerInfo" in output("/info")
