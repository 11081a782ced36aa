"""A model that drifts under a scoring server of several processes: told to Alertmanager's API, and read by SQL."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pytest

from ksqlkit.client.http import HttpClient
from ksqlkit.data import data_path
from ksqlkit.dialect import parse, print_statement
from ksqlkit.process import ServerProcess
from tests.support.models import linear_model
from udf_server.drift.alerts import STATEMENT
from udf_server.drift.bins import Reference
from udf_server.models.store import ModelStore

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@contextmanager
def alertmanager() -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """An HTTP server that keeps what it is sent: path and JSON."""
    taken: list[tuple[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert self.headers["content-type"] == "application/json"
            taken.append((self.path, orjson.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def score(url: str, rows: np.ndarray) -> None:
    body = orjson.dumps({"data": [[i, *row] for i, row in enumerate(rows.tolist())]})
    # A connection of its own for each call, so that the processes take turns.
    answer = httpx.post(f"{url}/v1/functions/FRAUD_SCORE:batch", content=body, trust_env=False)
    assert answer.json()["errors"] == []


def until(found: Any, seconds: float = 20.0) -> Any:
    end = time.monotonic() + seconds
    while not (value := found()) and time.monotonic() < end:
        time.sleep(0.1)
    return value


def test_drift_is_told_once_by_webhook_and_in_sql(tmp_path: Path) -> None:
    chance = np.random.default_rng(3)
    usual = chance.normal(size=(4000, 2))
    scores = 1 / (1 + np.exp(-usual.sum(axis=1)))
    reference = Reference.fit(["X0", "X1"], usual, scores)
    linear_model(ModelStore(tmp_path / "models"), "fraud", [1.0, 1.0], reference=reference.to_bytes())
    engine = [sys.executable, "-m", "ksqlkit.engine.rest", "--port", "0", "--log", str(tmp_path / "ksql.db")]
    with alertmanager() as (webhook, taken), ServerProcess("ksqlDB", engine, health="/info") as ksql:
        command = [sys.executable, "-m", "udf_server", "--port", "0", "--workers", "2"]
        command += [
            "--models",
            str(tmp_path / "models"),
            "--alert-webhook",
            webhook,
            "--alert-ksqldb",
            ksql.url,
        ]
        with ServerProcess("scoring server", command, health="/livez") as scoring:
            for _ in range(5):
                score(scoring.url, chance.normal(size=(400, 2)))
            for _ in range(10):
                score(scoring.url, chance.normal((2.0, 0.0), size=(400, 2)))
            client = HttpClient(ksql.url)
            assert until(lambda: taken), "nothing was sent"
            [(path, alerts)] = taken[:1]
            assert path == "/api/v2/alerts"
            assert {a["labels"]["alertname"] for a in alerts} == {"ModelDrift"}
            assert {a["labels"]["quantity"] for a in alerts} == {"X0", "score"}
            assert all(set(a) == {"labels", "annotations", "startsAt"} for a in alerts)
            # The webhook comes first; the stream is made a moment later.
            assert until(
                lambda: "ALERTS" in [x["name"] for x in client.execute("SHOW STREAMS;")[0]["streams"]]
            )
            rows = until(lambda: client.query("SELECT * FROM ALERTS;").dicts())
            assert {(r["MODEL"], r["VERSION"], r["STATUS"]) for r in rows} == {("fraud", 1, "firing")}
            assert sorted(r["QUANTITY"] for r in rows) == ["X0", "score"], "each process, or none, told of it"
            assert all(r["VALUE"] > r["THRESHOLD"] > 0 for r in rows)
            page = httpx.get(f"{scoring.url}/metrics", trust_env=False).text
            assert 'udf_alert_firing{model="fraud",version="1",quantity="X0"} 1\n' in page
            # The shipped project takes the stream as it is, and tells how things stand.
            client.execute((data_path("sql") / "monitoring" / "alerts.sql").read_text().split(";", 1)[1])
            for _ in range(10):
                score(scoring.url, chance.normal(size=(400, 2)))
            question = "SELECT QUANTITY, STATUS FROM ALERT_STATES;"
            told = until(lambda: len(client.query("SELECT * FROM ALERTS;").rows) >= 4)
            assert told, "the end was not told"
            ended = {a["labels"]["quantity"]: a["endsAt"] for _, more in taken for a in more if "endsAt" in a}
            assert set(ended) == {"X0", "score"}
            states = until(
                lambda: (s := client.query(question).rows) and {r[1] for r in s} == {"resolved"} and s
            )
            assert sorted(states) == [["X0", "resolved"], ["score", "resolved"]]
            client.close()


def test_the_server_makes_the_stream_as_the_project_has_it() -> None:
    text = (data_path("sql") / "monitoring" / "alerts.sql").read_text()
    ours, theirs = print_statement(parse(STATEMENT)[0]), print_statement(parse(text)[0])
    assert ours.replace(" IF NOT EXISTS", "") == theirs
