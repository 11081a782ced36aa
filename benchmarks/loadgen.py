"""A closed-loop HTTP/1.1 load: so many connections, each sending its next request once its last was answered.

One process and epoll on raw sockets: some 15 us a request, so that on a small machine the server is what is measured.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


@dataclass(frozen=True, slots=True)
class Load:
    """What a run saw: requests a second, and the time of the slowest 1 % and of the median request in ms."""

    rate: float
    p50: float
    p99: float
    failed: int


def request_bytes(
    url: str, body: bytes, media: str = "application/json", headers: Sequence[tuple[str, str]] = ()
) -> bytes:
    """A POST as it goes over the wire."""
    parts = urlsplit(url)
    lines = [
        f"POST {parts.path} HTTP/1.1",
        f"Host: {parts.netloc}",
        f"Content-Type: {media}",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join(lines).encode() + _HEAD_END + body


class _Connection:
    """One socket: what is to be sent, what was received."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.wanted = -1
        self.started = 0.0

    def send(self, request: bytes) -> None:
        self.received, self.wanted = b"", -1
        self.started = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Read what is there; whether the response is whole."""
        part = self.socket.recv(1 << 18)
        if not part:
            raise ConnectionError("the server closed a connection in mid-response")
        self.received = self.received + part if self.received else part
        if self.wanted < 0:
            end = self.received.find(_HEAD_END)
            if end < 0:
                return False
            head = self.received[:end].lower()
            at = head.find(_LENGTH)
            if at < 0:
                raise ConnectionError("a response without Content-Length")
            self.wanted = end + 4 + int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])
        return len(self.received) >= self.wanted


def run_load(
    url: str, requests: Sequence[bytes], connections: int, seconds: float, warm: float = 0.5
) -> Load:
    """Send the requests in turn over so many connections; what comes in the first `warm` seconds is not counted."""
    parts = urlsplit(url)
    address = (parts.hostname or "127.0.0.1", parts.port or 80)
    selector = selectors.DefaultSelector()
    open_ = [_Connection(address) for _ in range(connections)]
    try:
        for number, connection in enumerate(open_):
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(requests[number % len(requests)])
        sent = connections
        times: list[float] = []
        failed = 0
        begin = time.perf_counter()
        counted, end = begin + warm, begin + warm + seconds
        now = begin
        while now < end:
            ready = selector.select(10.0)
            if not ready:
                raise TimeoutError(f"{url} answered nothing for 10 s")
            for key, _ in ready:
                connection = key.data
                if not connection.receive():
                    continue
                now = time.perf_counter()
                if now >= counted:
                    times.append(now - connection.started)
                    failed += not connection.received.startswith(b"HTTP/1.1 200")
                connection.send(requests[sent % len(requests)])
                sent += 1
    finally:
        for connection in open_:
            connection.socket.close()
        selector.close()
    times.sort()
    at = [times[min(len(times) - 1, int(len(times) * q))] * 1000.0 for q in (0.5, 0.99)]
    return Load(len(times) / (now - counted), at[0], at[1], failed)
