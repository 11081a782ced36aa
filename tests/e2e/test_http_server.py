"""The server as a process: start, stop, restart, and clients that others wrote."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ksqlkit.client.http import HttpClient
from ksqlkit.client.protocol import TopicRecord
from ksqlkit.errors import StatementError
from ksqlkit.process import ServerProcess

pytestmark = pytest.mark.e2e
COMMAND = [sys.executable, "-m", "ksqlkit.engine.rest", "--port", "0"]
STREAM = "CREATE STREAM s (k VARCHAR KEY, n INT) WITH (KAFKA_TOPIC='s', PARTITIONS=2, VALUE_FORMAT='JSON');"
TABLE = "CREATE TABLE t AS SELECT k, COUNT(*) AS c FROM s GROUP BY k;"
EARLIEST = {"auto.offset.reset": "earliest"}


def start(*options: str) -> ServerProcess:
    return ServerProcess("embedded ksqlDB", [*COMMAND, *options], health="/info")


@contextmanager
def client_of(server: ServerProcess) -> Iterator[HttpClient]:
    client = HttpClient(server.url)
    try:
        yield client
    finally:
        client.close()


def wait_for(client: HttpClient, sql: str, rows: list[list[object]]) -> None:
    until = time.monotonic() + 10
    while client.query(sql).rows != rows:
        assert time.monotonic() < until, client.query(sql).rows
        time.sleep(0.02)


def test_what_was_committed_is_there_after_a_crash(tmp_path: Path) -> None:
    log = str(tmp_path / "ksql.db")
    with start("--log", log) as server, client_of(server) as client:
        client.execute(STREAM + TABLE, properties=EARLIEST)
        client.produce("s", [TopicRecord(b'{"N":%d}' % n, b"a") for n in range(500)])
        wait_for(client, "SELECT c FROM t;", [[500]])
        server.kill()
    with start("--log", log) as server, client_of(server) as client:
        wait_for(client, "SELECT c FROM t;", [[500]])
        client.insert("s", [{"k": "a", "n": 1}])
        wait_for(client, "SELECT c FROM t;", [[501]])
        assert server.stop() == 0


def test_stopping_ends_running_queries() -> None:
    with start() as server, client_of(server) as client:
        client.execute(STREAM)
        ended: list[str] = []

        def read() -> None:
            url, body = f"{server.url}/query", {"ksql": "SELECT * FROM s EMIT CHANGES;"}
            ended.append(httpx.post(url, json=body, headers={"accept": "application/json"}, timeout=20).text)

        reader = threading.Thread(target=read)
        reader.start()
        while len(client.execute("SHOW QUERIES;")[0]["queries"]) == 0:
            time.sleep(0.02)
        assert server.stop() == 0
        reader.join(5)
    assert ended[0].endswith('{"finalMessage":"Query Completed"}]')


def test_a_taken_port_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "ksqlkit.engine.rest", "--port", port]
        found = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert found.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in found.stderr
    assert "use --port 0" in found.stderr
    assert found.stdout == ""


def test_only_those_of_the_auth_file_get_in(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("# who may ask\nada:secret\nbearer t0ken\n")
    process = subprocess.Popen(
        [*COMMAND, "--auth-file", str(users)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        refused = httpx.get(f"{url}/info", auth=("ada", "wrong"))
        assert refused.status_code == 401
        assert refused.json()["error_code"] == 40100
        assert httpx.get(f"{url}/info").status_code == 401
        for auth in (("ada", "secret"), "t0ken"):
            client = HttpClient(url, auth=auth)
            assert client.execute("SHOW STREAMS;")[0]["@type"] == "streams"
            client.execute(f"CREATE OR REPLACE {STREAM[7:]}")
            assert client.insert("s", [{"k": "a", "n": 1}]) == 1
            client.close()
        client = HttpClient(url, auth="other")
        with pytest.raises(StatementError, match="Unauthorized") as refusal:
            client.info()
        assert refusal.value.status == 401
        client.close()
    finally:
        process.terminate()
        assert process.wait(10) == 0
        process.stdout.close()


def test_properties_of_the_command_line() -> None:
    options = ["--property", "ksql.service.id=mine_", "--property", "auto.offset.reset=earliest"]
    with start(*options) as server, client_of(server) as client:
        assert client.info()["ksqlServiceId"] == "mine_"
        client.execute(STREAM)
        client.insert("s", [{"k": "a", "n": 1}])
        with client.stream("SELECT n FROM s EMIT CHANGES LIMIT 1;") as rows:
            assert list(rows) == [[1]]


@pytest.fixture
def ksql_python() -> Any:
    """ksql-python, by its maintained successor, as it is; it needs httpx before 0.28."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of its own imports
        import ksql
    return ksql


def test_ksql_python(ksql_python: Any) -> None:
    with start() as server:
        api = ksql_python.KSQLAPI(server.url)
        assert api.get_ksql_version() == "7.9.1"
        assert api.ksql("SHOW STREAMS;")[0]["streams"] == []
        api.ksql(STREAM)
        columns = ["k VARCHAR KEY", "n INT"]
        assert api.create_stream(table_name="again", columns_type=columns, topic="s", value_format="JSON")
        acks = list(api.inserts_stream("S", [{"k": "a", "n": 1}, {"k": "b", "n": 2}]))
        assert len(acks) == 2
        for http2 in (False, True):
            rows = api.query(
                "SELECT * FROM s EMIT CHANGES LIMIT 2;", stream_properties=EARLIEST, use_http2=http2
            )
            header, *lines = "".join(rows).splitlines()
            assert '"columnNames":["K","N"]' in header
            assert sorted(lines) == ['["a",1]', '["b",2]']


@pytest.mark.parametrize("http2", [False, True])
def test_plain_httpx(http2: bool) -> None:
    with start() as server, httpx.Client(base_url=server.url, http1=not http2, http2=http2) as client:
        answer = client.get("/info")
        assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
        assert set(answer.headers) == {"content-type", "content-length"}
        client.post("/ksql", json={"ksql": STREAM})
        sql = "INSERT INTO s VALUES ('a', 1); INSERT INTO s VALUES ('a', 2);"
        assert client.post("/ksql", json={"ksql": sql}).json() == []
        found = client.post("/query-stream", json={"sql": "SELECT n FROM s;"})
        assert found.headers["content-type"] == "application/vnd.ksqlapi.delimited.v1"
        assert found.text.splitlines()[1:] == ["[1]", "[2]"]
