"""A model that drifts under a live server: found, trained again by the plan it was made with, and followed at once."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pytest

from tests.support.command import run
from tests.support.scoring_server import scoring_server
from udf_server.drift.watch import is_drifting

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def rows(chance: np.random.Generator, count: int, moved: float) -> np.ndarray:
    """X, Z and a label that depends on X; where X has moved, the label has turned round."""
    x, z = chance.normal(moved, 1, count), chance.normal(0, 1, count)
    label = (x - moved + chance.normal(0, 0.5, count) > 0) ^ (moved > 0)
    return np.column_stack((x, z, label))


def write(path: Path, *parts: np.ndarray) -> None:
    lines = [f"{x:.4f},{z:.4f},{int(y)}" for part in parts for x, z, y in part.tolist()]
    path.write_text("\n".join(["X,Z,Y", *lines]) + "\n")


class Traffic:
    """Calls without a pause; keeps when each was answered, by which version, and what went wrong."""

    def __init__(self, url: str, data: np.ndarray) -> None:
        self._url, self._data = f"{url}/v1/functions/FRAUD_SCORE:batch", data[:, :2].tolist()
        self.answers: list[tuple[float, int]] = []
        self.wrong: list[Any] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(trust_env=False, timeout=10.0) as client:
            at = 0
            while not self._stop.is_set():
                part = [[i, *self._data[(at + i) % len(self._data)]] for i in range(50)]
                at += 50
                answer = client.post(self._url, content=orjson.dumps({"data": part}))
                body = answer.json()
                good = answer.status_code == 200 and not body["errors"]
                if not good or [row for row, _ in body["data"]] != list(range(50)):
                    self.wrong.append(body)
                self.answers.append((time.monotonic(), body.get("version", 0)))
                time.sleep(0.005)


def until(true: Any, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return bool(true())


def test_a_drifting_model_is_replaced_under_traffic(tmp_path: Path) -> None:
    chance = np.random.default_rng(7)
    (tmp_path / "ksqlkit.toml").write_text("[project]\nname = 'p'\n")
    write(tmp_path / "rows.csv", rows(chance, 6000, 0.0))
    asked = ["--from", "rows.csv", "--label", "Y", "--every", "365", "--algorithm", "linear"]
    done = run("train", "fraud", *asked, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    models = tmp_path / "models"
    with scoring_server(models) as server:
        with Traffic(server.url, rows(chance, 5000, 0.0)) as calm:
            assert until(lambda: len(calm.answers) >= 100, 30)
        assert calm.wrong == []
        done = run("retrain", "--due", "--json", folder=tmp_path)
        assert (done.returncode, json.loads(done.stdout)) == (0, []), "nothing has moved"
        with Traffic(server.url, rows(chance, 5000, 3.0)) as traffic:
            assert until(lambda: is_drifting(models, "fraud", 1), 30), "the server left no word of drift"
            write(tmp_path / "rows.csv", rows(chance, 1000, 0.0), rows(chance, 3000, 3.0))
            done = run("retrain", "--due", "--json", folder=tmp_path)
            ended = time.monotonic()
            assert done.returncode == 0, done.stderr
            [trial] = json.loads(done.stdout)
            assert (trial["model"], trial["promoted"], trial["challenger"]) == ("fraud", True, 2)
            assert until(lambda: traffic.answers[-1][1] == 2, 5)
            followed = next(at for at, version in traffic.answers if version == 2)
            assert followed - ended < 1.0, "the server followed late"
            # Rows like those it was trained on: the new version is calm, and not due.
            before = len(traffic.answers)
            assert until(lambda: len(traffic.answers) > before + 100, 30)
        assert traffic.wrong == []
        assert {version for _, version in traffic.answers} == {1, 2}
        versions = [version for _, version in traffic.answers]
        assert versions == sorted(versions), "no call went back to the old version"
        done = run("retrain", "--due", "--json", folder=tmp_path)
        assert (done.returncode, json.loads(done.stdout)) == (0, [])
        done = run("models", "rollback", "fraud", folder=tmp_path)
        assert done.returncode == 0
        call = {"data": [[0, 3.0, 0.0]]}
        url = f"{server.url}/v1/functions/FRAUD_SCORE:batch"

        def version() -> int:
            return int(httpx.post(url, json=call, trust_env=False).json()["version"])

        assert until(lambda: version() == 1, 1.0), "the champion is back within a second"
