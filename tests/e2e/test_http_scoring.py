"""Queries that use functions of the scoring server start again before that server does."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from ksqlkit.client.http import HttpClient
from ksqlkit.process import ServerProcess

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
STATEMENTS = """
CREATE STREAM s (k VARCHAR KEY, said VARCHAR) WITH (KAFKA_TOPIC='s', PARTITIONS=1, VALUE_FORMAT='JSON');
CREATE STREAM judged AS SELECT k, SENTIMENT(said)->LABEL AS label FROM s;
"""


def rows_of(client: HttpClient, count: int) -> list[list[object]]:
    until = time.monotonic() + 10
    while len(rows := client.query("SELECT * FROM judged;").rows) < count and time.monotonic() < until:
        time.sleep(0.05)
    return rows


def test_a_restart_without_the_scoring_server(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "udf_server",
        "--lazy",
        "--port",
        "0",
        "--models",
        str(tmp_path / "models"),
    ]
    with ServerProcess("scoring server", command, health="/livez") as scoring:
        server = [sys.executable, "-m", "ksqlkit.engine.rest", "--port", "0"]
        server += ["--log", str(tmp_path / "ksql.db"), "--scoring", scoring.url]
        with ServerProcess("embedded ksqlDB", server, health="/info") as first:
            client = HttpClient(first.url)
            client.execute(STATEMENTS)
            client.insert("s", [{"k": "a", "said": "this is great and wonderful"}])
            assert rows_of(client, 1) == [["a", "POSITIVE"]]
            client.close()
            assert first.stop() == 0
    with ServerProcess("embedded ksqlDB", server, health="/info") as second:
        client = HttpClient(second.url)
        (queries,) = client.execute("SHOW QUERIES;")
        assert [q["state"] for q in queries["queries"]] == ["RUNNING"]
        assert rows_of(client, 1) == [["a", "POSITIVE"]]
        client.close()
        assert second.stop() == 0
        assert "its functions are taken from" in second.log
