"""Paths, methods, media types and bodies, over a real port."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.rest import messages
from ksqlkit.engine.rest.auth import Guard
from ksqlkit.errors import ProjectError
from tests.support.rest_server import rest_server
from tests.support.websocket import websocket_messages

BINARY = {"content-type": "application/vnd.kafka.binary.v2+json"}
AS_JSON = {"content-type": "application/vnd.kafka.json.v2+json"}
STREAM = "CREATE STREAM s (k VARCHAR KEY, n INT) WITH (KAFKA_TOPIC='s', PARTITIONS=2, VALUE_FORMAT='JSON');"


@pytest.fixture(scope="module")
def engine() -> Engine:
    engine = Engine()
    engine.execute(STREAM)
    return engine


@pytest.fixture(scope="module")
def url(engine: Engine) -> Iterator[str]:
    with rest_server(engine) as found:
        yield found


@pytest.fixture(params=[1, 2], ids=["http1", "http2"])
def http(request: pytest.FixtureRequest, url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, http1=request.param == 1, http2=request.param == 2) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status", "headers"),
    [
        ("GET", "/", 307, {"location": "/info"}),
        ("GET", "/nothing", 404, {"content-type": "text/html; charset=utf-8"}),
        ("GET", "/is_valid_property/", 404, {"content-type": "text/html; charset=utf-8"}),
        ("GET", "/ksql", 405, {"allow": "POST"}),
        ("POST", "/info", 405, {"allow": "GET"}),
        ("DELETE", "/topics/s", 405, {"allow": "GET, POST"}),
        ("GET", "/topics/none", 404, {"content-type": "application/vnd.kafka.v2+json"}),
    ],
)
def test_paths(http: httpx.Client, method: str, path: str, status: int, headers: dict[str, str]) -> None:
    found = http.request(method, path)
    assert found.status_code == status
    assert headers.items() <= dict(found.headers).items()
    assert not {"date", "server"} & set(found.headers)


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/vnd.ksql.v1+json", 200),
        ("text/html, application/json;q=0.5", 200),
        ("*/*", 200),
        ("text/html", 406),
        ("application/json;q=0", 406),
    ],
)
def test_accept(http: httpx.Client, accept: str, status: int) -> None:
    found = http.post("/ksql", json={"ksql": "SHOW STREAMS;"}, headers={"accept": accept})
    assert found.status_code == status


@pytest.mark.parametrize(
    ("path", "accept", "content_type", "first"),
    [
        ("/query", "application/json", "application/vnd.ksql.v1+json", '[{"header":'),
        ("/query", "*/*", "application/vnd.ksqlapi.delimited.v1", '{"queryId":'),
        ("/query-stream", "application/json", "application/json", '[{"queryId":'),
        ("/query-stream", "application/vnd.ksql.v1+json", "application/vnd.ksql.v1+json", '[{"header":'),
        ("/query-stream", "*/*", "application/vnd.ksqlapi.delimited.v1", '{"queryId":'),
    ],
)
def test_forms_of_rows(http: httpx.Client, path: str, accept: str, content_type: str, first: str) -> None:
    sql = "SELECT * FROM s EMIT CHANGES LIMIT 0;"
    found = http.post(path, json={"ksql": sql, "sql": sql}, headers={"accept": accept})
    assert found.headers["content-type"] == content_type
    assert found.text.startswith(first)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/ksql", b""),
        ("/ksql", b"{"),
        ("/ksql", b"[1]"),
        ("/ksql", b'{"ksql": "SHOW STREAMS;", "streamsProperties": [1]}'),
        ("/ksql", b'{"ksql": "SHOW STREAMS;", "commandSequenceNumber": "x"}'),
        ("/query", b"{}"),
        ("/query-stream", b"{}"),
        ("/query-stream", b'{"sql": "SHOW STREAMS;"}'),
        ("/close-query", b"{}"),
        ("/close-query", b'{"queryId": "none"}'),
        ("/heartbeat", b'{"hostInfo": {}}'),
        ("/lag", b"{}"),
        ("/ksql/terminate", b'{"deleteTopicList": ["["]}'),
    ],
)
def test_bad_bodies_are_refused_with_a_message(http: httpx.Client, path: str, body: bytes) -> None:
    found = http.post(path, content=body)
    assert found.status_code == 400
    assert found.json()["error_code"] in (40000, 40001)
    assert found.json()["message"]


def test_a_body_that_is_too_large() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"x" * 600, "more_body": True}

    async def read() -> None:
        async for _ in messages.Request("POST", "/ksql", {}, "1.1", receive).chunks(1000):
            pass

    with pytest.raises(messages.Refused, match="larger than 1000 bytes") as refused:
        asyncio.run(read())
    assert refused.value.status == 413


def test_records(http: httpx.Client, engine: Engine) -> None:
    before = [engine.log.end_offset("s", p) for p in range(2)]
    key, value = (base64.b64encode(b).decode() for b in (b"a", b'{"N":1}'))
    records: list[dict[str, Any]] = [
        {"key": key, "value": value, "timestamp": 5},
        {"key": key, "value": None},
        {"value": value, "partition": 1},
    ]
    found = http.post("/topics/s", json={"records": records}, headers=BINARY).json()["offsets"]
    where = found[0]["partition"]
    assert [o["offset"] for o in found[:2]] == [before[where], before[where] + 1]
    assert found[2]["partition"] == 1
    first = engine.read("s", where, before[where])[0]
    assert (first.timestamp, first.key, first.value) == (5, b"a", b'{"N":1}')
    found = http.post("/topics/s", json={"records": [{"key": 7, "value": {"N": 2}}]}, headers=AS_JSON)
    place = found.json()["offsets"][0]
    last = engine.read("s", place["partition"], place["offset"])[0]
    assert (last.key, last.value) == (b"7", b'{"N":2}')
    assert "s" in http.get("/topics").json()
    assert len(http.get("/topics/s").json()["partitions"]) == 2


@pytest.mark.parametrize(
    ("record", "status", "code", "message"),
    [
        ({"value": "not base64!"}, 422, 42205, "Record 1: key and value must be base64"),
        ({"value": "YQ==", "timestamp": -1}, 422, 42200, "Record 1: timestamp and partition"),
        ({"value": "YQ==", "timestamp": "now"}, 422, 42200, "Record 1: timestamp and partition"),
        ({"value": "YQ==", "partition": 9}, 422, 42202, "Topic 's' has no partition 9"),
        ({}, 422, 42200, "Record 1 is not an object with a 'value'"),
        (5, 422, 42200, "Record 1 is not an object with a 'value'"),
    ],
)
def test_records_are_taken_all_or_none(
    http: httpx.Client, engine: Engine, record: Any, status: int, code: int, message: str
) -> None:
    before = [engine.log.end_offset("s", p) for p in range(2)]
    found = http.post("/topics/s", json={"records": [{"value": "YQ=="}, record]}, headers=BINARY)
    assert (found.status_code, found.json()["error_code"]) == (status, code)
    assert found.json()["message"].startswith(message)
    assert [engine.log.end_offset("s", p) for p in range(2)] == before


def test_records_of_another_media_type(http: httpx.Client) -> None:
    assert http.post("/topics/s", content=b"a", headers={"content-type": "text/plain"}).status_code == 415
    assert http.post("/topics/s", content=b"[]", headers=BINARY).status_code == 422


def test_inserts_need_http2(url: str) -> None:
    found = httpx.post(f"{url}/inserts-stream", content=b'{"target":"s"}\n')
    assert (found.status_code, found.json()["error_code"]) == (400, 40004)


def test_inserts_go_on_to_the_first_bad_row(url: str) -> None:
    with httpx.Client(base_url=url, http1=False, http2=True) as client:
        rows = b'{"target":"s"}\n{"k":"i","n":1}\n{"k":"i","n":1.5}\n{"k":"i","n":2}\n'
        ok, refused = client.post("/inserts-stream", content=rows).text.splitlines()
        assert ok == '{"seq":0,"status":"ok"}'
        assert "class java.lang.Double into type INTEGER" in refused
        assert client.get("/info").status_code == 200  # the connection goes on
        flat = client.post(
            "/inserts-stream", content=b'{"target":"s"}\n', headers={"accept": "application/json"}
        )
        assert flat.json() == []


def test_websocket(url: str) -> None:
    request = "%7B%22ksql%22%3A%22SELECT%20k%20FROM%20s%20EMIT%20CHANGES%20LIMIT%200%3B%22%7D"
    found = list(websocket_messages(url, f"/ws/query?request={request}"))
    assert found[0].startswith('[TEXT] [{"name":"K"')
    assert found[1:] == ['[TEXT] {"error":"done"}', "[CLOSE] 1000 done"]
    assert list(websocket_messages(url, "/ws/nothing")) == ["[REJECTED] 403"]


def test_push_queries_of_clients_that_leave_are_closed(url: str, engine: Engine) -> None:
    body = {"ksql": "SELECT * FROM s EMIT CHANGES;"}
    with httpx.Client() as client, client.stream("POST", f"{url}/query", json=body) as found:
        parts = found.iter_bytes()  # kept: the connection is closed with it
        next(parts)
        assert len(engine.context.pushes) == 1
    for _ in range(200):
        if not engine.context.pushes:
            break
        engine.clock.sleep(0.01)
    assert not engine.context.pushes


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("Basic " + base64.b64encode(b"ada:secret").decode(), 200),
        ("Basic " + base64.b64encode(b"ada:wrong").decode(), 401),
        ("Basic ???", 401),
        ("Bearer token", 200),
        ("Bearer ada:secret", 401),
        ("Bearer ", 401),
    ],
)
def test_guard(header: str | None, status: int) -> None:
    guard = Guard(["# people", "", "ada:secret", "bearer token"])
    headers = {"authorization": header} if header else {}
    if status == 200:
        guard.check(headers)
        return
    with pytest.raises(messages.Refused) as refused:
        guard.check(headers)
    assert refused.value.status == 401


@pytest.mark.parametrize("lines", [[], ["# nobody"], ["ada"]])
def test_an_auth_file_that_lets_nobody_in_is_refused(lines: list[str]) -> None:
    with pytest.raises(ProjectError):
        Guard(lines)


def test_a_query_that_fails_under_way_says_so_and_the_others_go_on() -> None:
    engine = Engine()
    engine.execute(STREAM)

    with rest_server(engine) as url, httpx.Client(base_url=url, timeout=10) as client:
        body = {"sql": "SELECT * FROM s EMIT CHANGES;", "properties": {"auto.offset.reset": "earliest"}}
        with client.stream("POST", "/query-stream", json=body) as found:
            lines = found.iter_lines()
            next(lines)
            (push,) = engine.context.pushes.values()
            push.attach(FailingRunner())
            refused = next(line for line in lines if line)
        assert "MemoryError: no room" in refused
        client.post("/ksql", json={"ksql": "INSERT INTO s VALUES ('a', 1);"})
        limited = {**body, "sql": "SELECT n FROM s EMIT CHANGES LIMIT 1;"}
        assert client.post("/query-stream", json=limited).text.splitlines()[1] == "[1]"


class FailingRunner:
    """Feeds a query with nothing but an error."""

    busy = False

    def poll(self, limit: int = 5000, submit: object = None) -> int:
        raise MemoryError("no room")

    def close(self, *, drop: bool) -> None:
        return
