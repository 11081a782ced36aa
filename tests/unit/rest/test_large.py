"""Requests that are larger than the server takes: refused at once, read to their end, never held in memory."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events
import httpx
import pytest

from ksqlkit.engine.engine import Engine
from ksqlkit.engine.rest import messages
from tests.support.rest_server import rest_server

LIMIT = 200_000
PATIENCE = 5  # seconds; a server that waits for the body answers after DRAIN_SECONDS at the earliest


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(messages, "MAX_BODY", LIMIT)
    with rest_server(Engine()) as url:
        yield url


@pytest.mark.parametrize("http2", [False, True])
@pytest.mark.parametrize("declared", [True, False])
def test_a_client_that_sends_all_first_gets_413_and_may_go_on(url: str, http2: bool, declared: bool) -> None:
    with httpx.Client(base_url=url, http1=not http2, http2=http2, timeout=10) as client:
        parts = [b" " * 50_000] * 40
        headers = {"content-length": str(sum(map(len, parts)))} if declared else {}
        answer = client.post("/ksql", content=iter(parts), headers=headers)
        assert answer.status_code == 413
        assert answer.json()["error_code"] == 41300
        assert client.get("/info").status_code == 200


def test_a_client_that_looks_gets_413_before_it_has_sent_anything(url: str) -> None:
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=PATIENCE) as wire:
        wire.sendall(b"POST /ksql HTTP/1.1\r\nHost: x\r\nContent-Length: 80000000\r\n\r\n")
        assert b" 413 " in wire.recv(200)


def test_over_http2_too(url: str) -> None:
    place = urlsplit(url)
    state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    with socket.create_connection((place.hostname, place.port), timeout=PATIENCE) as wire:
        state.initiate_connection()
        head = {
            ":method": "POST",
            ":path": "/ksql",
            ":scheme": "http",
            ":authority": "x",
            "content-length": "80000000",
        }
        state.send_headers(1, list(head.items()))
        state.send_data(1, b" " * 100)
        wire.sendall(state.data_to_send())
        status, body = "", b""
        while not body:
            for event in state.receive_data(wire.recv(65_536)):
                if isinstance(event, h2.events.ResponseReceived):
                    status = dict(event.headers or [])[b":status"].decode()
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data or b""
        assert status == "413"
        assert b"41300" in body
