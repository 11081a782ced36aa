"""Servers behind TLS: whose certificates are trusted."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from ksqlkit.cli.functions import fetch_manifest
from ksqlkit.client.http import HttpClient
from ksqlkit.errors import Unreachable
from ksqlkit.scoring.transport import HttpTransport, NoReply
from tests.support import certificates
from udf_server.drift.alerts import to_webhook


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        answer = b'{"KsqlServerInfo": {}, "functions": []}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> certificates.Authority:
    if reason := certificates.missing():
        pytest.skip(reason)
    return certificates.Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=["good", "expired"])
def server(request: pytest.FixtureRequest, authority: certificates.Authority) -> Iterator[tuple[str, str]]:
    """Which certificate it has, and its URL."""
    authority.sign(request.param, expired=request.param == "expired")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.folder / f"{request.param}.both")
    listening = HTTPServer(("127.0.0.1", 0), Handler)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield request.param, f"https://127.0.0.1:{listening.server_port}"
    listening.shutdown()
    listening.server_close()
    thread.join()


@pytest.fixture(params=[True, False])
def named(
    request: pytest.FixtureRequest, authority: certificates.Authority, monkeypatch: pytest.MonkeyPatch
) -> bool:
    """Whether the environment names the authority."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    if request.param:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    return bool(request.param)


def test_authorities_of_the_environment_are_trusted(server: tuple[str, str], named: bool) -> None:
    kind, url = server
    transport = HttpTransport(url)
    try:
        if named and kind == "good":
            assert transport.send("GET", "/", b"", {}, 5.0).status == 200
            return
        with pytest.raises(NoReply, match="not to be trusted") as raised:
            transport.send("GET", "/", b"", {}, 5.0)
        assert ("expired" in str(raised.value)) == named
        assert "SSL_CERT_FILE" in (raised.value.hint or "")
    finally:
        transport.close()


@pytest.mark.parametrize("server", ["good"], indirect=True)
def test_every_client_trusts_the_same(server: tuple[str, str], named: bool) -> None:
    _, url = server
    if named:
        assert HttpClient(url).info() == {}
        assert fetch_manifest(url) == []
        to_webhook(url)([])
        return
    with pytest.raises(Unreachable):
        HttpClient(url).info()
    with pytest.raises(Unreachable):
        fetch_manifest(url)
    with pytest.raises(httpx.ConnectError):
        to_webhook(url)([])
