"""How requests reach the server: HTTP over kept connections. The seam for tests is the Transport protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ksqlkit.certificates import trusted_authorities


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoReply(Exception):
    """Nothing came back. With `timed_out` the server was reached but did not answer in time. With a `hint` it will not
    come back by itself."""

    def __init__(self, message: str, *, timed_out: bool = False, hint: str | None = None) -> None:
        super().__init__(message)
        self.timed_out, self.hint = timed_out, hint


class Transport(Protocol):
    """Sends one request. Thread-safe."""

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Reply:
        """The reply, whatever its status; raises NoReply when there is none within `timeout` seconds."""

    def close(self) -> None:
        """Give up the connections."""


class HttpTransport:
    """Transport over httpx, connecting at the first request. Proxies of the environment are not used; authorities in
    SSL_CERT_FILE or SSL_CERT_DIR are."""

    def __init__(self, url: str, token: str | None = None) -> None:
        import httpx

        self.url = url.rstrip("/")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(
            base_url=self.url, headers=headers, trust_env=False, verify=trusted_authorities()
        )

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Reply:
        """The reply, whatever its status; raises NoReply."""
        import httpx

        limits = httpx.Timeout(timeout, connect=min(timeout, 1.0))
        try:
            reply = self._client.request(method, path, content=body or None, headers=headers, timeout=limits)
        except (httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout) as error:
            raise NoReply(f"{self.url} did not answer within {timeout:.1f} s", timed_out=True) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if (why := _distrust(error)) is not None:
                raise NoReply(
                    f"the certificate of {self.url} is not to be trusted: {why}",
                    hint="Name its authority's certificate (PEM) in SSL_CERT_FILE, and the server as it does.",
                ) from error
            raise NoReply(f"cannot reach {self.url}: {error}") from error
        return Reply(reply.status_code, reply.headers, reply.content)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _distrust(error: BaseException) -> str | None:
    """What is wrong with a server's certificate, None for other errors."""
    import ssl

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        cause = cause.__cause__ or cause.__context__
    return None
