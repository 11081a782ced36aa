"""How requests reach the server: HTTP over kept connections. The seam for tests is the Transport protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoReply(Exception):
    """Nothing came back. With `timed_out` the server was reached but did not answer in time."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class Transport(Protocol):
    """Sends one request. Thread-safe."""

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Reply:
        """The reply, whatever its status; raises NoReply when there is none within `timeout` seconds."""

    def close(self) -> None:
        """Give up the connections."""


class HttpTransport:
    """Transport over httpx, connecting at the first request. Proxies of the environment are not used."""

    def __init__(self, url: str, token: str | None = None) -> None:
        import httpx

        self.url = url.rstrip("/")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(base_url=self.url, headers=headers, trust_env=False)

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Reply:
        """The reply, whatever its status; raises NoReply."""
        import httpx

        limits = httpx.Timeout(timeout, connect=min(timeout, 1.0))
        try:
            reply = self._client.request(method, path, content=body or None, headers=headers, timeout=limits)
        except (httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout) as error:
            raise NoReply(f"{self.url} did not answer within {timeout:.1f} s", timed_out=True) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NoReply(f"cannot reach {self.url}: {error}") from error
        return Reply(reply.status_code, reply.headers, reply.content)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
