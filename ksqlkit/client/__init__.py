"""One client protocol: a ksqlDB over HTTP, or the embedded engine in process."""

from __future__ import annotations

from typing import Protocol

from ksqlkit.client.protocol import Client


class _Target(Protocol):
    @property
    def url(self) -> str | None: ...
    @property
    def embedded(self) -> str | None: ...
    @property
    def rest_proxy(self) -> str | None: ...
    @property
    def timeout(self) -> float: ...
    def auth(self) -> tuple[str, str] | str | None: ...


def connect(target: _Target) -> Client:
    """A client for a target: over HTTP where it has a `url`, else an engine of our own in this process."""
    if target.url is not None:
        from ksqlkit.client.http import HttpClient

        return HttpClient(
            target.url, auth=target.auth(), timeout=target.timeout, rest_proxy=target.rest_proxy
        )
    from ksqlkit.client.embedded import EmbeddedClient

    return EmbeddedClient.open(target.embedded or ":memory:")
