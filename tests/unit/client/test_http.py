"""HttpClient against servers that answer oddly, or not at all."""

from __future__ import annotations

import httpx
import pytest

from ksqlkit.client.http import HttpClient
from ksqlkit.errors import DataError, KsqlkitError, ServerError, StatementError, Unreachable, UserError


def client_of(status: int, body: bytes) -> HttpClient:
    return HttpClient(
        "http://ksql", transport=httpx.MockTransport(lambda _: httpx.Response(status, content=body))
    )


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (400, b'{"error_code":40001,"message":"no"}', StatementError, "no"),
        (401, b"", StatementError, "HTTP 401 from /info"),
        (404, b"<html>", Unreachable, "What answers at http://ksql is no ksqlDB: HTTP 404 from /info"),
        (200, b"<html>", Unreachable, "What answers at http://ksql is no ksqlDB: HTTP 200 from /info"),
        (404, b'{"error_code":40401,"message":"no"}', StatementError, "no"),
        (400, b"[1]", StatementError, "HTTP 400 from /info"),
        (503, b'{"message":"The server is shutting down"}', ServerError, "The server is shutting down"),
        (500, b"", ServerError, "HTTP 500 from /info"),
    ],
)
def test_refusals(status: int, body: bytes, kind: type[KsqlkitError], message: str) -> None:
    with pytest.raises(kind) as refusal:
        client_of(status, body).info()
    assert refusal.value.message == message


def test_places_in_messages_are_locations() -> None:
    body = b'{"error_code":40001,"message":"line 2:7: Syntax Error","statementText":"x"}'
    with pytest.raises(StatementError) as refusal:
        client_of(400, body).execute("x")
    assert refusal.value.statement == "x"
    assert str(refusal.value.location) == "<sql>:2:7"


def test_nobody_listens() -> None:
    client = HttpClient("http://127.0.0.1:9", timeout=1.0)
    with pytest.raises(Unreachable, match="No ksqlDB answers at http"):
        client.info()
    client.close()


def test_confirmations_are_counted() -> None:
    some = client_of(200, b'{"seq":0,"status":"ok"}\n')
    assert some.insert("s", [{"a": 1}]) == 1
    with pytest.raises(ServerError, match="confirmed 1 of 2 rows"):
        some.insert("s", [{"a": 1}, {"a": 2}])
    refused = client_of(200, b'{"seq":0,"status":"ok"}\n{"seq":1,"status":"error","message":"no"}\n')
    with pytest.raises(DataError, match="Row 2 for s was refused: no"):
        refused.insert("s", [{"a": 1}, {"a": 2}])


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("localhost:8088", "Did you mean http://localhost:8088?"),
        ("nonsense", "Did you mean http://nonsense?"),
        ("ftp://host", "http://HOST:PORT"),
        ("http://host:99999", "http://HOST:PORT"),
        ("http://", "http://HOST:PORT"),
        ("", "http://HOST:PORT"),
    ],
)
def test_what_is_no_address(url: str, hint: str) -> None:
    with pytest.raises(UserError, match="is not the address of a server") as refusal:
        HttpClient(url)
    assert hint in str(refusal.value.hint)


def test_a_redirect_names_where_it_leads() -> None:
    moved = httpx.MockTransport(lambda _: httpx.Response(302, headers={"location": "https://other/"}))
    with pytest.raises(Unreachable, match="sends on to https://other/"):
        HttpClient("http://ksql", transport=moved).info()


@pytest.mark.parametrize("body", [b"", b"<html>"])
def test_a_query_that_ends_before_its_header(body: bytes) -> None:
    with pytest.raises(Unreachable, match="before it told the columns"):
        client_of(200, body).query("SELECT 1;")
