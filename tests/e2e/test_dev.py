"""`ksqlkit dev` as a user meets it: ports, restarts, Ctrl-C, a scoring server that dies."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from ksqlkit.client.http import HttpClient
from tests.support.command import dev, run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SQL = """
CREATE STREAM MESSAGES (ID BIGINT KEY, BODY STRING) WITH (KAFKA_TOPIC='messages', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE STREAM MOODS AS SELECT ID, SENTIMENT_DETAIL(BODY) AS MOOD FROM {{ ref('MESSAGES') }};
CREATE TABLE COUNTS AS SELECT 'all' AS WHAT, COUNT(*) AS N FROM {{ ref('MESSAGES') }} GROUP BY 'all';
"""
EARLIEST = {"auto.offset.reset": "earliest"}


def write(folder: Path) -> Path:
    (folder / "ksqlkit.toml").write_text("[project]\nname = 'p'\n")
    (folder / "sql").mkdir(exist_ok=True)
    (folder / "sql/models.sql").write_text(SQL)
    return folder


def test_a_taken_port_is_a_clear_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run("dev", "--port", port, "--scoring-port", "0", folder=write(tmp_path))
        assert done.returncode == 3
        assert port in done.stderr
        assert "--port 0" in done.stderr
        assert "Traceback" not in done.stderr


def test_records_and_state_are_there_after_ctrl_c(tmp_path: Path) -> None:
    write(tmp_path)
    with dev(tmp_path) as first:
        client = HttpClient(first.ksql)
        client.insert("MESSAGES", [{"ID": i, "BODY": "I love it"} for i in range(50)])
        rows = client.query(
            "SELECT ID, MOOD->STATUS FROM MOODS EMIT CHANGES LIMIT 50;", properties=EARLIEST
        ).rows
        assert {row[1] for row in rows} == {"OK"}
        client.close()
        assert first.interrupt() == 130
    with dev(tmp_path) as second:
        client = HttpClient(second.ksql)
        client.insert("MESSAGES", [{"ID": 50, "BODY": "it is broken"}])
        rows = client.query("SELECT ID FROM MOODS EMIT CHANGES LIMIT 51;", properties=EARLIEST).rows
        assert sorted(row[0] for row in rows) == list(range(51)), "nothing lost, nothing twice"
        assert wait_for(lambda: client.query("SELECT N FROM COUNTS WHERE WHAT = 'all';").rows) == [[51]]
        client.close()


def test_rows_carry_a_status_when_the_scoring_server_dies(tmp_path: Path) -> None:
    write(tmp_path)
    with dev(tmp_path) as servers:
        client = HttpClient(servers.ksql)
        kill_scoring(servers.scoring)
        client.insert("MESSAGES", [{"ID": 1, "BODY": "hello"}])
        start = time.monotonic()
        rows = client.query(
            "SELECT ID, MOOD->STATUS FROM MOODS EMIT CHANGES LIMIT 1;", properties=EARLIEST
        ).rows
        assert rows == [[1, "UNAVAILABLE"]]
        assert time.monotonic() - start < 60, "nothing blocks for ever"
        client.close()


def test_no_child_outlives_a_killed_parent(tmp_path: Path) -> None:
    write(tmp_path)
    with dev(tmp_path) as servers:
        os.kill(servers.process.pid, signal.SIGKILL)
        servers.process.wait()
        for url in (f"{servers.ksql}/info", f"{servers.scoring}/livez"):
            assert wait_for(lambda url=url: "gone" if not answers(url) else None) == "gone"


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1.0).status_code == 200
    except httpx.TransportError:
        return False


def kill_scoring(url: str) -> None:
    port = url.rpartition(":")[2]
    found = subprocess.run(
        ["pgrep", "-f", f"udf_server.*--port {port}"], capture_output=True, text=True
    ).stdout
    os.kill(int(found.split()[0]), signal.SIGKILL)


def wait_for(look, patience: float = 20.0):  # type: ignore[no-untyped-def]
    until = time.monotonic() + patience
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.1)
    return look()
