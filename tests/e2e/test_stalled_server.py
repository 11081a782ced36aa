"""A scoring server that is stopped in the middle (SIGSTOP): SQL's own server goes on as if nothing had happened."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.functions.registry import Registry
from ksqlkit.process import ServerProcess
from ksqlkit.scoring import ScoringClient
from tests.support.rest_server import rest_server
from tests.support.scoring_server import scoring_server

pytestmark = [pytest.mark.slow, pytest.mark.e2e]
PROMPT = (
    10.0  # seconds, so that a busy machine is no failure; who waits for the scoring server does so for 20
)
FUNCTION = """
from udf_server import function

@function("TWICE(x BIGINT) -> BIGINT", timeout=20)
def twice(xs):
    return [2 * x for x in xs]
"""
STATEMENTS = """
CREATE STREAM S (K STRING KEY, V BIGINT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=2);
CREATE STREAM SCORED AS SELECT K, TWICE(V) AS W FROM S WHERE TWICE(V) > 0;
CREATE STREAM COPIED AS SELECT K, V FROM S;
CREATE TABLE COUNTED AS SELECT K, COUNT(*) AS N FROM S GROUP BY K HAVING TWICE(COUNT(*)) > 0;
"""


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[ServerProcess]:
    functions = tmp_path / "functions"
    functions.mkdir()
    (functions / "twice.py").write_text(FUNCTION)
    with scoring_server(tmp_path / "models", functions) as server:
        try:
            yield server
        finally:
            os.kill(server.process.pid, signal.SIGCONT)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_everything_but_the_queries_that_score_goes_on(stopped: ServerProcess) -> None:
    registry = Registry()
    with ScoringClient(stopped.url) as scoring:
        scoring.register_into(registry)
        engine = Engine(functions=registry, properties={"auto.offset.reset": "earliest"})
        with rest_server(engine) as url, httpx.Client(base_url=url, timeout=30) as client:

            def ksql(text: str) -> Any:
                begun = time.monotonic()
                answer = client.post("/ksql", json={"ksql": text}).raise_for_status().json()
                assert time.monotonic() - begun < PROMPT, text
                return answer

            def pull(text: str) -> list[Any]:
                begun = time.monotonic()
                answer = client.post(
                    "/query-stream", json={"sql": text}, headers={"accept": "application/json"}
                )
                assert time.monotonic() - begun < PROMPT, text
                return answer.json()[1:]

            def size(topic: str) -> int:
                return sum(engine.log.end_offset(topic, p) for p in range(2))

            ksql(STATEMENTS)
            ksql("INSERT INTO S (K, V) VALUES ('a', 1);")
            wait_for(lambda: size("SCORED") == size("COUNTED") == 1)
            os.kill(stopped.process.pid, signal.SIGSTOP)
            ksql("INSERT INTO S (K, V) VALUES ('a', 2);")
            wait_for(lambda: sum(q.busy for q in engine.context.running.values()) == 2)
            for number in range(5):
                ksql(f"INSERT INTO S (K, V) VALUES ('b', {number});")
                ksql("SHOW STREAMS; SHOW QUERIES;")
            wait_for(lambda: size("COPIED") == 7)
            assert pull("SELECT N FROM COUNTED WHERE K = 'a';") == [[1]]
            hanging = client.build_request(
                "POST", "/query-stream", json={"sql": "SELECT TWICE(N) AS W FROM COUNTED;"}
            )
            hanging.extensions = {"timeout": httpx.Timeout(0.5).as_dict()}
            with pytest.raises(httpx.ReadTimeout):
                client.send(hanging)
            (scored,) = [q for q in engine.context.queries if "SCORED" in q]
            ksql(f"TERMINATE {scored};")
            ksql("DROP STREAM SCORED DELETE TOPIC;")
            assert size("COUNTED") == 1
            os.kill(stopped.process.pid, signal.SIGCONT)
            wait_for(lambda: pull("SELECT N FROM COUNTED WHERE K = 'a';") == [[2]])
            assert pull("SELECT N FROM COUNTED WHERE K = 'b';") == [[5]]
            os.kill(stopped.process.pid, signal.SIGSTOP)
            ksql("INSERT INTO S (K, V) VALUES ('a', 2);")
            wait_for(lambda: any(q.busy for q in engine.context.running.values()))
            begun = time.monotonic()
            engine.close()
            assert time.monotonic() - begun < PROMPT
            os.kill(stopped.process.pid, signal.SIGCONT)
