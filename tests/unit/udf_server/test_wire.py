from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from udf_server.http.message import MAX_BODY, Request, Respond, Response
from udf_server.http.wire import MAX_HEAD, Connections


class Echo:
    """Answers what it was asked, in a later turn of the loop when the path says so."""

    def __init__(self) -> None:
        self.seen: list[Request] = []

    def start(self, request: Request, respond: Respond) -> None:
        self.seen.append(request)
        response = Response(200, request.body)
        if request.path == "/later":
            asyncio.get_running_loop().call_later(0.001, respond, response)
        else:
            respond(response)


class Pipe:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False
        self.reading = True

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


def talk(parts: list[bytes], wait: float = 0.0) -> tuple[Echo, Pipe]:
    app, pipe = Echo(), Pipe()

    async def act() -> None:
        connection = Connections(app).connection()
        connection.connection_made(pipe)  # type: ignore[arg-type]
        for part in parts:
            if not pipe.closed:
                connection.data_received(part)
        for _ in range(20):
            await asyncio.sleep(wait)

    asyncio.run(act())
    return app, pipe


def post(body: bytes, path: str = "/x", *fields: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: h", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def test_one_after_the_other_on_one_connection() -> None:
    sent = post(b"one", "/later") + post(b"two") + post(b"", "/later") + post(b"four")
    app, pipe = talk([sent], 0.002)
    assert [r.body for r in app.seen] == [b"one", b"two", b"", b"four"]
    bodies = [part.partition(b"\r\n\r\n")[2] for part in pipe.written.split(b"HTTP/1.1 ")[1:]]
    assert bodies == [b"one", b"two", b"", b"four"]
    assert not pipe.closed


CHUNKED = (
    b"POST /c?q=1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n"
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 40), max_size=30))
def test_wherever_the_network_cuts_it_the_requests_are_the_same(cuts: list[int]) -> None:
    whole = post(b"body" * 20) + CHUNKED + post(b"end")
    parts = []
    for cut in cuts:
        parts.append(whole[:cut])
        whole = whole[cut:]
    app, _ = talk([p for p in [*parts, whole] if p])
    assert [(r.path, r.body) for r in app.seen] == [
        ("/x", b"body" * 20),
        ("/c", b"abc0123456789"),
        ("/x", b"end"),
    ]


REFUSED = [
    (b"hello\r\n\r\n", 400),
    (b"GET  / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/2.0\r\n\r\n", 400),
    (b"GET http://h/ HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n folded: x\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nspace : x\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nA: x\nB: y\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
    (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nContent-Length: 1_0\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n", 400),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", 413),
    (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1), 413),
    (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 413),
    (b"GET / HTTP/1.1\r\nA: " + b"x" * MAX_HEAD + b"\r\n\r\n", 431),
    (b"G" * (MAX_HEAD + 1), 431),
]


@pytest.mark.parametrize(("sent", "status"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_request_ends_the_connection(sent: bytes, status: int) -> None:
    app, pipe = talk([sent + post(b"smuggled")])
    assert pipe.written.startswith(b"HTTP/1.1 %d " % status)
    assert pipe.written.count(b"\r\nconnection: close") == 1
    assert pipe.closed
    assert app.seen == []


def test_connections_are_kept_or_closed_as_asked() -> None:
    def closed(sent: bytes) -> bool:
        return talk([sent])[1].closed

    assert not closed(b"GET / HTTP/1.1\r\n\r\n")
    assert closed(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert closed(b"GET / HTTP/1.0\r\n\r\n")
    assert not closed(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    head = talk([b"HEAD /x HTTP/1.1\r\nContent-Length: 2\r\n\r\nab"])[1].written
    assert head.endswith(b"\r\n\r\n")
    assert b"content-length: 2" in head


def test_a_client_that_asks_first_is_told_to_go_on() -> None:
    whole = post(b"later", "/x", "Expect: 100-continue")
    _, pipe = talk([whole[:-5], whole[-5:]])
    assert pipe.written.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


def test_a_flood_of_requests_is_not_read_without_end() -> None:
    app, pipe = Echo(), Pipe()
    held: list[Callable[[], Any]] = []
    app.start = lambda request, respond: held.append(lambda: respond(Response(200, b"")))  # type: ignore[method-assign]

    async def act() -> None:
        connection = Connections(app).connection()
        connection.connection_made(pipe)  # type: ignore[arg-type]
        for _ in range(2000):
            connection.data_received(post(b"x" * 50))
        assert not pipe.reading
        assert len(held) == 1
        held[0]()
        assert pipe.reading

    asyncio.run(act())
